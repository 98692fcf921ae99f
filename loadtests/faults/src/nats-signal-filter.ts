import type { Filter } from "./tcp-proxy.ts";

const LINE_END = Buffer.from("\r\n");
const NOTHING = Buffer.alloc(0);
/** The longest line of the protocol is INFO, of a few kilobytes. */
const MAX_LINE_BYTES = 64 * 1024;

/**
 * Loses chosen messages of one NATS connection and leaves the connection as it is: the server has sent them, the client
 * never gets them, and neither knows. Reads the server's side of the protocol (MSG and HMSG have a payload, all else is
 * one line).
 *
 * @param isLost decides by the subject, message by message.
 * @throws on what is no NATS.
 */
export function createSignalFilter(isLost: (subject: string) => boolean): Filter {
  let rest: Buffer = NOTHING;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const passed: Buffer[] = [];
    while (rest.length > 0) {
      const lineEnd = rest.indexOf(LINE_END);
      if (lineEnd < 0) {
        if (rest.length > MAX_LINE_BYTES) throw new Error("not the protocol of NATS");
        break;
      }
      const frame = readFrame(rest.toString("latin1", 0, lineEnd));
      const frameEnd = lineEnd + LINE_END.length + frame.payloadBytes;
      if (rest.length < frameEnd) break;
      const isWanted = frame.subject === undefined || !isLost(frame.subject);
      if (isWanted) passed.push(rest.subarray(0, frameEnd));
      rest = rest.subarray(frameEnd);
    }
    return Buffer.concat(passed);
  };
}

/** `MSG <subject> <sid> [reply] <bytes>`, `HMSG <subject> <sid> [reply] <header bytes> <total bytes>`, and all else. */
function readFrame(line: string): { subject?: string; payloadBytes: number } {
  const words = line.split(" ");
  const verb = words[0]?.toUpperCase();
  if (verb !== "MSG" && verb !== "HMSG") return { payloadBytes: 0 };
  const bytes = Number(words.at(-1));
  if (!Number.isSafeInteger(bytes)) throw new Error("not the protocol of NATS");
  return { subject: words[1] as string, payloadBytes: bytes + LINE_END.length };
}
