/** A text frame as a client sends it (RFC 6455 section 5.2): masked, here with zeros, which leaves the payload as it is. */
export function encodeClientFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = frameHead(payload.length, 0x80);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

/** A text frame as a server sends it. */
export function encodeServerFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([frameHead(payload.length, 0), payload]);
}

function frameHead(length: number, maskBit: number): Buffer {
  if (length < 126) return Buffer.from([0x81, maskBit | length]);
  return Buffer.from([0x81, maskBit | 126, length >> 8, length & 0xff]);
}
