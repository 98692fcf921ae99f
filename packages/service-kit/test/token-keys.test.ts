import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAuthenticator } from "../src/auth.ts";

const claims = { sub: "ana", role: "buyer", aud: "localstreet" };

interface Signer {
  readonly jwk: JWK;
  sign(options?: { kid?: boolean; sub?: string }): Promise<string>;
}

async function newSigner(alg: string, kid: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    jwk: { ...(await exportJWK(publicKey)), alg, kid },
    sign: ({ kid: named = true, sub = "ana" } = {}) =>
      new SignJWT({ ...claims, sub })
        .setProtectedHeader(named ? { alg, kid } : { alg })
        .setExpirationTime("1h")
        .sign(privateKey),
  };
}

let one: Signer;
let two: Signer;
let folder: string;
beforeAll(async () => {
  [one, two] = await Promise.all([newSigner("ES256", "one"), newSigner("ES256", "two")]);
  folder = await mkdtemp(join(tmpdir(), "localstreet-keys-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const codeOf = (verified: Promise<unknown>) =>
  verified.then(
    () => "good",
    (error) => error.code,
  );

describe("A1: keys from a URL", () => {
  let keys: JWK[];
  let asked: number;
  let server: Server;
  let url: string;
  let answers: boolean;
  let faults: unknown[];

  async function listen(port = 0): Promise<void> {
    server = createServer((_request, response) => {
      asked += 1;
      if (answers) response.end(JSON.stringify({ keys }));
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  }
  async function goAway(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  beforeEach(async () => {
    keys = [one.jwk];
    asked = 0;
    answers = true;
    faults = [];
    await listen();
  });
  afterEach(goAway);

  const open = (more: { jwksCooldownMs?: number; jwksMaxAgeMs?: number } = {}) =>
    createAuthenticator({
      jwksUrl: url,
      jwksTimeoutMs: 800,
      jwksCooldownMs: 0,
      allowedOrigins: [],
      onKeysFault: (error) => faults.push(error),
      ...more,
    });

  test("A1: RS256, ES256 and EdDSA, also where a token does not name its key", async () => {
    const signers = await Promise.all(
      ["RS256", "ES256", "EdDSA"].map((alg) => newSigner(alg, `key-${alg}`)),
    );
    keys = [one.jwk, ...signers.map(({ jwk }) => jwk)];
    const authenticator = open();
    for (const signer of [one, ...signers]) {
      expect((await authenticator.verifyToken(await signer.sign())).personId).toBe("ana");
      const unnamed = await signer.sign({ kid: false });
      expect((await authenticator.verifyToken(unnamed)).personId).toBe("ana");
    }
    expect(await codeOf(authenticator.verifyToken(await two.sign({ kid: false })))).toBe(
      "unauthenticated",
    );
    expect(faults).toEqual([]);
  });

  test("A1: the set is asked for once, not for each token", async () => {
    const authenticator = open();
    for (const sub of ["a", "b", "c"]) await authenticator.verifyToken(await one.sign({ sub }));
    expect(asked).toBe(1);
  });

  test("A1: a key that came after is found, and a token of one that went is refused, without a restart", async () => {
    const authenticator = open({ jwksMaxAgeMs: 50 });
    const old = await one.sign();
    await authenticator.verifyToken(old);
    keys = [two.jwk];
    expect((await authenticator.verifyToken(await two.sign())).personId).toBe("ana");
    expect(await codeOf(authenticator.verifyToken(old))).toBe("unauthenticated");
    keys = [one.jwk];
    // Nobody names the key that went: the set is asked for again because it is old.
    await expect
      .poll(async () => {
        await codeOf(authenticator.verifyToken(await two.sign({ sub: crypto.randomUUID() })));
        return await codeOf(authenticator.verifyToken(await two.sign()));
      })
      .toBe("unauthenticated");
  });

  test("A1: unknown keys do not make it ask at every token", async () => {
    const authenticator = open({ jwksCooldownMs: 60_000 });
    await authenticator.verifyToken(await one.sign());
    for (let count = 0; count < 5; count += 1) {
      expect(await codeOf(authenticator.verifyToken(await two.sign()))).toBe("unauthenticated");
    }
    expect(asked).toBe(1);
  });

  test("A1 E7: while its server is away known keys serve on, an unknown one is 503 and not 401, and it is told", async () => {
    const authenticator = open({ jwksMaxAgeMs: 1 });
    await authenticator.verifyToken(await one.sign());
    await goAway();
    const known = () => one.sign({ sub: crypto.randomUUID() });
    for (let count = 0; count < 3; count += 1) await authenticator.verifyToken(await known());
    await expect(authenticator.verifyToken(await two.sign())).rejects.toMatchObject({
      code: "unavailable",
      status: 503,
      retryable: true,
    });
    await authenticator.verifyToken(await known());
    expect(faults.length).toBeGreaterThan(0);
    keys = [one.jwk, two.jwk];
    await listen(Number(new URL(url).port));
    await expect
      .poll(async () => codeOf(authenticator.verifyToken(await two.sign())), { timeout: 4_000 })
      .toBe("good");
  });

  test("A1 E7: a server that hangs, and one that answers nonsense, is 503 within a bounded time", async () => {
    answers = false;
    const startMs = performance.now();
    expect(await codeOf(open().verifyToken(await one.sign()))).toBe("unavailable");
    expect(performance.now() - startMs).toBeLessThan(3_000);
    answers = true;
    keys = "nonsense" as unknown as JWK[];
    expect(await codeOf(open().verifyToken(await one.sign()))).toBe("unavailable");
    expect(faults.length).toBeGreaterThan(1);
  });
});

describe("A1: keys from a file", () => {
  async function write(path: string, keys: JWK[]): Promise<void> {
    // As a deployment does it: the new file takes the place of the old one.
    await writeFile(`${path}.next`, JSON.stringify({ keys }));
    await rename(`${path}.next`, path);
  }

  test("A1: what the file holds now is what counts, without a restart", async () => {
    const path = join(folder, "keys.json");
    await write(path, [one.jwk]);
    const authenticator = createAuthenticator({ jwksFile: path, allowedOrigins: [] });
    const old = await one.sign();
    await authenticator.verifyToken(old);
    await write(path, [two.jwk]);
    // A key that is not known is looked for at once.
    expect((await authenticator.verifyToken(await two.sign())).personId).toBe("ana");
    expect(await codeOf(authenticator.verifyToken(old))).toBe("unauthenticated");
  });

  test("A1: a file that is gone or broken leaves the keys that are known, and is told", async () => {
    const path = join(folder, "broken.json");
    await write(path, [one.jwk]);
    const faults: unknown[] = [];
    const authenticator = createAuthenticator({
      jwksFile: path,
      allowedOrigins: [],
      onKeysFault: (error) => faults.push(error),
    });
    await authenticator.verifyToken(await one.sign());
    await writeFile(path, "{");
    expect(await codeOf(authenticator.verifyToken(await two.sign()))).toBe("unauthenticated");
    await authenticator.verifyToken(await one.sign({ sub: "bea" }));
    expect(faults.length).toBeGreaterThan(0);
    await write(path, [one.jwk, two.jwk]);
    expect((await authenticator.verifyToken(await two.sign())).personId).toBe("ana");
  });

  test("A1: without a file nothing starts", () => {
    const jwksFile = join(folder, "nowhere.json");
    expect(() => createAuthenticator({ jwksFile, allowedOrigins: [] })).toThrow("nowhere.json");
  });
});
