import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadAuthentication, loadStoreSecrets } from "../src/secrets.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "localstreet-secrets-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a secret is made once, kept, and readable to its owner only", async () => {
  const file = join(folder, "auth-secret");
  const first = loadAuthentication(file, {});
  expect(first.secret?.length).toBeGreaterThanOrEqual(32);
  expect(first.env).toEqual({ AUTH_JWT_SECRET: first.secret });
  expect(loadAuthentication(file, {}).secret).toBe(first.secret);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test("a secret, a key file or the address of keys in the environment wins; several at once are an error", () => {
  const file = join(folder, "auth-secret");
  const secret = "given by whoever started this, 32 bytes";
  expect(loadAuthentication(file, { AUTH_JWT_SECRET: secret }).secret).toBe(secret);
  const jwks = loadAuthentication(file, { AUTH_JWKS_FILE: "keys.json", INIT_CWD: "/somewhere" });
  expect(jwks).toEqual({ env: { AUTH_JWKS_FILE: "/somewhere/keys.json" }, secret: undefined });
  const byUrl = { AUTH_JWKS_URL: "https://id.example/keys" };
  expect(loadAuthentication(file, byUrl)).toEqual({ env: byUrl, secret: undefined });
  expect(() => loadAuthentication(file, { ...byUrl, AUTH_JWKS_FILE: "a" })).toThrow("not several");
  expect(() => loadAuthentication(file, { AUTH_JWKS_FILE: "a", AUTH_JWT_SECRET: secret })).toThrow(
    "not several",
  );
});

test("the stores' passwords are kept, and an account that is new gets one", async () => {
  const file = join(folder, "credentials.json");
  const first = loadStoreSecrets(file);
  expect(loadStoreSecrets(file)).toEqual(first);
  const { "chat-ws": _dropped, ...older } = first.postgres;
  await writeFile(file, JSON.stringify({ ...first, postgres: older }));
  const later = loadStoreSecrets(file);
  expect(later.postgres.admin).toBe(first.postgres.admin);
  expect(later.postgres["chat-ws"]).toMatch(/.{20}/);
});
