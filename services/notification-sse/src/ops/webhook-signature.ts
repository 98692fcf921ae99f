import { createHmac } from "node:crypto";

/** A secret as Standard Webhooks writes it: `whsec_` and 24 to 64 random bytes in base64. */
const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/** @returns the bytes of a secret; `null` when it is none. */
export function parseWebhookSecret(secret: string): Buffer | null {
  const key = Buffer.from(SECRET.exec(secret)?.[1] ?? "", "base64");
  return key.length >= 24 && key.length <= 64 ? key : null;
}

/**
 * The headers of one delivery (Standard Webhooks 1.0): who checks them knows that the body comes from one who has the
 * secret, and when it was sent. Several keys, while one takes the other's place, give several signatures.
 */
export function signWebhook(options: {
  keys: readonly Buffer[];
  webhookId: string;
  body: string;
  nowMs: number;
}): Record<string, string> {
  const { keys, webhookId, body } = options;
  const timestamp = String(Math.floor(options.nowMs / 1_000));
  const signatures = keys.map((key) => {
    const hmac = createHmac("sha256", key).update(`${webhookId}.${timestamp}.${body}`);
    return `v1,${hmac.digest("base64")}`;
  });
  return {
    "webhook-id": webhookId,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
  };
}
