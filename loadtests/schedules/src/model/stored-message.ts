/** When a message was stored: milliseconds of the model's clock, and a count that tells those of one apart. */
export interface Stamp {
  readonly ms: number;
  readonly nanos: number;
}

/** A message as a stream keeps it. Never changed. */
export interface StoredMessage {
  readonly subject: string;
  readonly sequence: number;
  /** The publisher's header block; empty when there was none. */
  readonly block: string;
  readonly data: Uint8Array;
  /** `Nats-Msg-Id`; empty when the publisher gave none. */
  readonly messageId: string;
  readonly storedAt: Stamp;
  /** The same, as the API tells it. */
  readonly time: string;
  /** What the server counts for it on disk. */
  readonly bytes: number;
}

/** Times of the server that are none of its clock. */
export const NEVER = "0001-01-01T00:00:00Z";
export const UNKNOWN = "1970-01-01T00:00:00Z";

/** RFC 3339 with nanoseconds, without zeros at the end, as Go prints it. */
export function formatStamp(stamp: Stamp): string {
  const iso = new Date(stamp.ms).toISOString();
  const fraction = iso.slice(20, 23) + String(stamp.nanos % 1_000_000).padStart(6, "0");
  const digits = fraction.replace(/0+$/, "");
  return `${iso.slice(0, 19)}${digits === "" ? "" : `.${digits}`}Z`;
}

/** Nanoseconds since 1970, as text: they are more than a number holds exactly. */
export function nanosOf(stamp: Stamp): string {
  return `${stamp.ms}${String(stamp.nanos % 1_000_000).padStart(6, "0")}`;
}

const RECORD_BYTES = 30;
const HEADER_BYTES = 4;

/** What the server's file store writes for a message. */
export function bytesOnDisk(subject: string, block: string, data: Uint8Array): number {
  const header = block === "" ? 0 : HEADER_BYTES + Buffer.byteLength(block);
  return RECORD_BYTES + subject.length + header + data.length;
}

/** The first value of a header. */
export function headerOf(block: string, name: string): string | undefined {
  const key = `\r\n${name}:`;
  const at = block.indexOf(key);
  if (at === -1) return undefined;
  const start = at + key.length;
  return block.slice(start, block.indexOf("\r\n", start)).trim();
}

/** A header block with one field more for each of `fields`, behind those that it has. */
export function withFields(block: string, fields: string): string {
  return block === "" ? `NATS/1.0\r\n${fields}\r\n` : `${block.slice(0, -2)}${fields}\r\n`;
}

/** Whether a subject matches a filter with `*` and `>`. */
export function matches(filter: string, subject: string): boolean {
  if (filter === ">" || filter === subject) return true;
  if (!filter.includes("*") && !filter.endsWith(">")) return false;
  const wanted = filter.split(".");
  const tokens = subject.split(".");
  for (const [index, token] of wanted.entries()) {
    if (token === ">") return tokens.length > index;
    if (index >= tokens.length || (token !== "*" && token !== tokens[index])) return false;
  }
  return wanted.length === tokens.length;
}
