/** WebSocket close codes (PROTOCOL.md E4). 4000 to 4999 is for applications: RFC 6455 section 7.4.2. */
export const CLOSE = {
  /** Going away: draining. Reconnect after `retryAfterMs`. */
  goingAway: 1001,
  frameTooLarge: 1009,
  /** An error of the server's own, which concerns this connection alone. */
  internal: 1011,
  malformed: 4400,
  unauthenticated: 4401,
  forbidden: 4403,
  timeout: 4408,
  slowReader: 4413,
  tooMany: 4429,
} as const;

export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];
