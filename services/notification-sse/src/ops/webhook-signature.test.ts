import { describe, expect, test } from "vitest";
import { parseWebhookSecret, signWebhook } from "./webhook-signature.ts";

// The published example of the scheme.
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const example = {
  webhookId: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  body: '{"test": 2432232314}',
  nowMs: 1_614_265_330_999,
};

function keyOf(secret: string): Buffer {
  const key = parseWebhookSecret(secret);
  if (!key) throw new Error("not a secret");
  return key;
}

describe("signWebhook", () => {
  test("S27: gives the published signature of the published example", () => {
    expect(signWebhook({ ...example, keys: [keyOf(SECRET)] })).toEqual({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  test("signs with every key while one takes the other's place", () => {
    const other = keyOf(`whsec_${Buffer.alloc(32, 7).toString("base64")}`);
    const { "webhook-signature": signature = "" } = signWebhook({
      ...example,
      keys: [other, keyOf(SECRET)],
    });
    expect(signature.split(" ")).toEqual([
      expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ]);
  });
});

test.each([
  "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  "whsec_",
  "whsec_c2hvcnQ=",
  `whsec_${Buffer.alloc(65).toString("base64")}`,
  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS*",
])("%s is no secret", (secret) => {
  expect(parseWebhookSecret(secret)).toBeNull();
});
