import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthenticator } from "@localstreet/service-kit/auth";
import { afterAll, expect, test } from "vitest";
import { testData } from "../src/test-data.ts";

// Here, because service-kit cannot depend on what looks for test data.

interface Group {
  readonly comment: string;
  readonly public?: { kty: string };
  readonly private: { kty: string };
  readonly tests: {
    readonly tcId: number;
    readonly comment: string;
    /** An object where the JSON serialization is tested. */
    readonly jws: unknown;
    readonly result: "valid" | "invalid";
  }[];
}

const vectors = testData("wycheproof/json_web_signature_test.json");
const folder = mkdtempSync(join(tmpdir(), "localstreet-vectors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Errors of jose that come after the signature was found good: what these vectors sign are no claims. */
const AFTER_SIGNATURE = new Set(["ERR_JWT_INVALID", "ERR_JWT_CLAIM_VALIDATION_FAILED"]);

test.skipIf(vectors === null)(
  "A1: every Wycheproof JWS is refused, the forged ones by their signature or form",
  async () => {
    const { testGroups, numberOfTests } = JSON.parse(readFileSync(String(vectors), "utf8")) as {
      testGroups: Group[];
      numberOfTests: number;
    };
    const file = join(folder, "jwks.json");
    const passed: string[] = [];
    let refused = 0;
    let genuine = 0;
    for (const group of testGroups) {
      writeFileSync(file, JSON.stringify({ keys: [group.public ?? group.private] }));
      const authenticator = createAuthenticator({ jwksFile: file, allowedOrigins: [] });
      for (const { tcId, comment, jws, result } of group.tests) {
        const token = typeof jws === "string" ? jws : JSON.stringify(jws);
        const error = await authenticator.verifyToken(token).then(
          () => null,
          (thrown) => thrown,
        );
        if (error?.code === "unauthenticated") refused += 1;
        if (!AFTER_SIGNATURE.has(error?.cause?.code)) continue;
        if (result === "valid") genuine += 1;
        else passed.push(`${tcId} ${comment}`);
      }
    }
    expect(refused).toBe(numberOfTests);
    expect(passed).toEqual([]);
    // Else nothing would have told good signatures from bad ones.
    expect(genuine).toBeGreaterThan(5);
  },
);
