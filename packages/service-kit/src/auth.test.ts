import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vendorIdSchema } from "@localstreet/contracts/ids";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { createAuthenticator, personId, requireVendor } from "./auth.ts";
import { signToken } from "./sign-token.ts";

const SECRET = "a-secret-of-at-least-thirty-two-bytes";
const authenticator = createAuthenticator({
  jwtSecret: SECRET,
  allowedOrigins: ["https://shop.example"],
});
const now = Math.floor(Date.now() / 1000);
const claims = { sub: "ana", role: "buyer", aud: "localstreet", exp: now + 60 };

function sign(payload: JWTPayload, header: Record<string, unknown> = {}, secret = SECRET) {
  return new SignJWT(payload)
    .setProtectedHeader({ alg: "HS256", ...header })
    .sign(new TextEncoder().encode(secret));
}
function without(name: keyof typeof claims): JWTPayload {
  const { [name]: _, ...rest } = claims;
  return rest;
}
function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

describe("A1: tokens", () => {
  test("A1: a good token is its person, role and vendors", async () => {
    const token = await signToken({
      secret: SECRET,
      sub: "sam",
      role: "vendor",
      vendors: ["bakery", "deli"],
    });
    const principal = await authenticator.verifyToken(token);
    expect(principal).toMatchObject({ personId: "sam", role: "vendor" });
    expect([...principal.vendors]).toEqual(["bakery", "deli"]);
    requireVendor(principal, vendorIdSchema.parse("deli"));
    expect(() => requireVendor(principal, vendorIdSchema.parse("kiosk"))).toThrow(
      expect.objectContaining({ code: "not-found", status: 404 }),
    );
  });

  const refused: [string, () => Promise<string> | string][] = [
    ["no exp", () => sign(without("exp"))],
    ["no sub", () => sign(without("sub"))],
    ["no aud", () => sign(without("aud"))],
    ["another audience", () => sign({ ...claims, aud: "elsewhere" })],
    ["not yet valid", () => sign({ ...claims, nbf: now + 60 })],
    ["an unknown role", () => sign({ ...claims, role: "admin" })],
    ["a vendor that is no id", () => sign({ ...claims, role: "vendor", vendors: ["*"] })],
    ["another secret", () => sign(claims, {}, "another-secret-of-thirty-two-bytes!!")],
    ["another algorithm of the same key", () => sign(claims, { alg: "HS512" })],
    ["alg none", () => `${base64url({ alg: "none" })}.${base64url(claims)}.`],
    ["alg none with a signature", () => `${base64url({ alg: "none" })}.${base64url(claims)}.AA`],
    ["padding", async () => `${await sign(claims)}==`],
    ["a line break", async () => `${await sign(claims)}\n`],
    ["garbage", () => "x"],
    ["10,000 characters", () => `${"a".repeat(10_000)}.a.a`],
  ];
  test.each(refused)("A1: %s is refused", async (_name, make) => {
    await expect(authenticator.verifyToken(await make())).rejects.toMatchObject({
      code: "unauthenticated",
      status: 401,
    });
  });

  test("A1: an unknown crit is refused", async () => {
    const [, payload] = (await sign(claims)).split(".");
    const header = base64url({ alg: "HS256", crit: ["x-bound"], "x-bound": 1 });
    const { createHmac } = await import("node:crypto");
    const signature = createHmac("sha256", SECRET)
      .update(`${header}.${payload}`)
      .digest("base64url");
    await expect(
      authenticator.verifyToken(`${header}.${payload}.${signature}`),
    ).rejects.toMatchObject({ code: "unauthenticated" });
  });

  test("A1: an expired token is told apart from a forged one", async () => {
    const expired = { ...claims, exp: now - 1 };
    await expect(authenticator.verifyToken(await sign(expired))).rejects.toMatchObject({
      code: "token-expired",
    });
    const forged = await sign(expired, {}, "another-secret-of-thirty-two-bytes!!");
    await expect(authenticator.verifyToken(forged)).rejects.toMatchObject({
      code: "unauthenticated",
    });
  });

  test("A1: a token that was good is refused once it has ended", async () => {
    const token = await sign({ ...claims, exp: Math.floor(Date.now() / 1000) + 1 });
    await authenticator.verifyToken(token);
    await expect
      .poll(
        () =>
          authenticator.verifyToken(token).then(
            () => "good",
            (e) => e.code,
          ),
        {
          timeout: 3_000,
        },
      )
      .toBe("token-expired");
  });

  test("A1: a key set accepts its algorithms and no HS256 made from its public key", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "jwks-")), "jwks.json");
    const pairs = await Promise.all(
      ["RS256", "ES256", "EdDSA"].map(async (alg) => ({
        alg,
        ...(await generateKeyPair(alg, { extractable: true })),
      })),
    );
    const keys = await Promise.all(
      pairs.map(async ({ alg, publicKey }) => ({ ...(await exportJWK(publicKey)), alg, kid: alg })),
    );
    writeFileSync(file, JSON.stringify({ keys }));
    const withKeys = createAuthenticator({ jwksFile: file, allowedOrigins: [] });
    for (const { alg, privateKey } of pairs) {
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg, kid: alg })
        .sign(privateKey);
      expect((await withKeys.verifyToken(token)).personId).toBe("ana");
    }
    const confused = await sign(claims, { kid: "RS256" }, JSON.stringify(keys[0]));
    await expect(withKeys.verifyToken(confused)).rejects.toMatchObject({ code: "unauthenticated" });
  });
});

describe("A10: times", () => {
  const cause = (token: string) =>
    authenticator.verifyToken(token).then(
      () => "taken",
      ({ code, message }) => `${code}: ${message}`,
    );
  const future = "unauthenticated: The token is issued in the future";
  const tooLong = "unauthenticated: The token lives too long";
  const day = 86_400;

  test.each([
    ["issued a second ahead", { iat: now + 1 }, "taken"],
    ["issued half a minute ahead", { iat: now + 30 }, future],
    ["issued tomorrow", { iat: now + day, exp: now + day + 60 }, future],
    ["that lives thirty days", { iat: now, exp: now + 30 * day }, "taken"],
    ["that lives thirty-one days", { iat: now, exp: now + 31 * day }, tooLong],
    ["of thirty-one days in its last minute", { iat: now - 31 * day }, tooLong],
    ["that ends in a year, and does not say when it was issued", { exp: now + 365 * day }, tooLong],
    ["with fractions of seconds", { iat: now - 0.5, exp: now + 60.5 }, "taken"],
  ])("A10: a token %s", async (_name, times, verdict) => {
    expect(await cause(await sign({ ...claims, ...times }))).toBe(verdict);
  });

  test("A10: life and skew are settings", async () => {
    const lenient = createAuthenticator({
      jwtSecret: SECRET,
      allowedOrigins: [],
      tokenDays: 366,
      clockSkewMs: 60_000,
    });
    const token = await sign({ ...claims, iat: now + 30, exp: now + 365 * day });
    expect((await lenient.verifyToken(token)).personId).toBe("ana");
    lenient.refuseRevoked({ isRevoked: (_person, issuedAt) => (issuedAt ?? 0) <= now - 20 });
    await expect(lenient.verifyToken(token)).rejects.toMatchObject({ code: "token-revoked" });
  });

  test("A10 G6: a sub is text: of two that differ in half a pair none becomes a person", async () => {
    for (const sub of ["\ud83e", "a\udd83", "a\0", "x".repeat(256)]) {
      expect(await cause(await sign({ ...claims, sub }))).toMatch(/^unauthenticated/);
    }
    expect(await cause(await sign({ ...claims, sub: "\ufeff\ufffd" }))).toBe("taken");
    const vendors = Array.from({ length: 201 }, (_, index) => `v${index}`);
    expect(await cause(await sign({ ...claims, vendors }))).toMatch(/^unauthenticated/);
  });
});

test("A9: a revoked token is refused although it was good before, and one that does not say when it was issued too", async () => {
  const revoked = new Map<string, number>();
  const own = createAuthenticator({ jwtSecret: SECRET, allowedOrigins: [] });
  own.refuseRevoked({
    isRevoked: (person, issuedAt) => (issuedAt ?? 0) <= (revoked.get(person) ?? -1),
  });
  const [old, undated, later] = await Promise.all([
    sign({ ...claims, iat: now - 10 }),
    sign(claims),
    sign({ ...claims, iat: now - 2 }),
  ]);
  const principals = await Promise.all(
    [old, undated, later].map((token) => own.verifyToken(token)),
  );
  expect(principals.map(({ issuedAtSeconds }) => issuedAtSeconds)).toEqual([
    now - 10,
    null,
    now - 2,
  ]);
  revoked.set("ana", now - 5);
  for (const token of [old, undated]) {
    await expect(own.verifyToken(token)).rejects.toMatchObject({
      code: "token-revoked",
      status: 401,
    });
  }
  expect(await own.verifyToken(later)).toBe(principals[2]);
  expect(principals.map((principal) => own.isRevoked(principal))).toEqual([true, true, false]);
});

test("A2: a sub that is no id is a person by its hash, and so is one that looks like a hash", () => {
  expect(personId("ana")).toBe("ana");
  const hashed = personId("auth0|123");
  expect(hashed).toMatch(/^h_[A-Za-z0-9_-]{43}$/);
  expect(personId(hashed)).not.toBe(hashed);
  expect(personId("é")).not.toBe(personId("è"));
});

describe("A3: where a token is", () => {
  const cookie = "a=b; localstreet_token=x.y.z";
  test("A3: in the Authorization header, which comes before the cookie", () => {
    expect(authenticator.tokenOf({ authorization: "Bearer p.q.r", cookie })).toEqual({
      from: "authorization",
      token: "p.q.r",
    });
  });
  test("A3: in the cookie of a same-origin or allowed page", () => {
    const found = { from: "cookie", token: "x.y.z" };
    expect(authenticator.tokenOf({ cookie, "sec-fetch-site": "same-origin" })).toEqual(found);
    expect(authenticator.tokenOf({ cookie, origin: "https://shop.example" })).toEqual(found);
  });
  test.each([
    {},
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "https://shop.example.evil.example" },
    { origin: "https://evil.example", "sec-fetch-site": "same-origin" },
  ])("A3 A4: not in the cookie of a page with %j", (headers) => {
    expect(authenticator.tokenOf({ cookie, ...headers })).toEqual({ from: "foreign-cookie" });
  });
  test("A6: no token is unauthenticated, another role is forbidden", async () => {
    await expect(authenticator.authenticate({ headers: {} }, "buyer")).rejects.toMatchObject({
      status: 401,
    });
    const authorization = `Bearer ${await sign(claims)}`;
    await expect(
      authenticator.authenticate({ headers: { authorization } }, "service"),
    ).rejects.toMatchObject({ status: 403 });
  });
});
