import type { IncomingHttpHeaders } from "node:http";
import { Problem } from "@localstreet/contracts/problem";

/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/**
 * Checks the client's half of a handshake (RFC 6455 section 4.2.1, PROTOCOL.md E18).
 *
 * @param isUpgrade whether the connection was handed over for another protocol.
 * @throws {Problem} `upgrade-required` when no WebSocket of version 13 is asked for, `invalid-request` without a key.
 */
export function requireHandshake(headers: IncomingHttpHeaders, isUpgrade: boolean): void {
  const asksForIt = isUpgrade && headers.upgrade?.toLowerCase() === "websocket";
  if (!asksForIt || headers["sec-websocket-version"] !== "13") {
    throw new Problem("upgrade-required");
  }
  if (!KEY.test(headers["sec-websocket-key"] ?? "")) {
    throw new Problem("invalid-request", "Sec-WebSocket-Key is missing or malformed");
  }
}
