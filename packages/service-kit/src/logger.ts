import { type DestinationStream, type Logger, pino } from "pino";

export type { Logger } from "pino";

// A JWT anywhere in a line: header and payload are JSON objects, so both begin with `eyJ` in base64url.
const TOKEN = /eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?/g;

/** JSON logs that never hold a token (PROTOCOL.md O2), whatever was handed to the logger. */
export function createLogger(
  options: { level: string; service: string; replica: string },
  destination?: DestinationStream,
): Logger {
  const { level, service, replica } = options;
  return pino(
    {
      level,
      base: { service, replica },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: { streamWrite: (line) => line.replace(TOKEN, "[token]") },
    },
    destination ?? pino.destination({ sync: true }),
  );
}
