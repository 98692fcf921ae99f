import { randomFillSync } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LENGTH = 21;

/** A fresh id of 21 characters that need no escaping in a URL: 126 random bits. */
export function randomId(): string {
  let id = "";
  for (const byte of randomFillSync(new Uint8Array(LENGTH))) id += ALPHABET[byte & 63];
  return id;
}
