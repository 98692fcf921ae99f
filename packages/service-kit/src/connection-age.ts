import type { ConnectionConfig } from "./config.ts";

/** Connections that were opened together are not sent away together. */
const AGE_SPREAD = 0.25;

/** After how many milliseconds a new connection is sent away (PROTOCOL.md E10): different for each. */
export function connectionAgeMs({ CONNECTION_AGE_MS }: ConnectionConfig): number {
  return CONNECTION_AGE_MS * (1 + Math.random() * AGE_SPREAD);
}
