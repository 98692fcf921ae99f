import type { Msg, MsgHdrs } from "@nats-io/transport-node";

/**
 * Headers of NATS messages as the text that they are. The client's own parser checks and copies every name and value,
 * which costs more than all else that is done with a message.
 */
const VERSION = "NATS/1.0";
const LINE_BREAK = /[\r\n]/;

/** The client's message, as far as its header is concerned. */
interface RawMessage {
  readonly _msg: { readonly hdr: number };
  readonly _rdata: Uint8Array;
}

/** The header block of a message; empty when it has none. */
export function headerBlockOf(message: Msg): string {
  const { _msg: lengths, _rdata: bytes } = message as unknown as RawMessage;
  if (lengths.hdr <= 0) return "";
  return Buffer.from(bytes.buffer, bytes.byteOffset, lengths.hdr).toString();
}

/** The last value of a header, by its exact name: what the server adds comes after what a publisher wrote. */
export function headerIn(block: string, name: string): string | undefined {
  const key = `\r\n${name}:`;
  const at = block.lastIndexOf(key);
  if (at === -1) return undefined;
  const start = at + key.length;
  return block.slice(start, block.indexOf("\r\n", start)).trim();
}

/** The status that the server answers with instead of a message, as 404; 0 for a message. */
export function statusIn(block: string): number {
  return block[VERSION.length] === " " ? Number.parseInt(block.slice(VERSION.length), 10) || 0 : 0;
}

/**
 * Header fields as the client sends them.
 *
 * @throws {TypeError} when a value holds a line break: it would be a field of its own.
 */
export function encodeHeaders(fields: Readonly<Record<string, string>>): MsgHdrs {
  let block = `${VERSION}\r\n`;
  for (const name in fields) {
    const value = fields[name] as string;
    if (LINE_BREAK.test(value)) throw new TypeError(`the header ${name} holds a line break`);
    block += `${name}: ${value}\r\n`;
  }
  const bytes = Buffer.from(`${block}\r\n`);
  return { encode: () => bytes } as unknown as MsgHdrs;
}
