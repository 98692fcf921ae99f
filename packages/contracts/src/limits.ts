/** Defaults of the limits. Each is a setting of its service: see docs/settings.md. */
export const LIMITS = {
  bodyBytes: 16 * 1024,
  frameBytes: 16 * 1024,
  authenticateMs: 5_000,
  pingIntervalMs: 25_000,
  pongTimeoutMs: 10_000,
  keepaliveMs: 25_000,
  streamPingMs: 60_000,
  framesPerSecond: 50,
  outboxBytes: 1024 * 1024,
  chatMessagesPerSecond: 10,
  chatMessagesBurst: 20,
  fixesPerSecond: 2,
  watchesPerConnection: 50,
  storeTimeoutMs: 5_000,
  drainMs: 30_000,
} as const;
