/**
 * Reads a body of chunks (RFC 9112 section 7.1) however its bytes are cut, and passes its text on as latin1.
 *
 * @throws when it is no such body.
 */
export function createChunkReader(
  onText: (text: string) => void,
  onEnd: () => void,
): (bytes: Buffer) => void {
  /** Of the chunk under way, with the line break after it. */
  let remaining = 0;
  let sizeLine = "";
  return (bytes) => {
    let at = 0;
    while (at < bytes.length) {
      if (remaining > 2) {
        const end = Math.min(bytes.length, at + remaining - 2);
        onText(bytes.toString("latin1", at, end));
        remaining -= end - at;
        at = end;
      } else if (remaining > 0) {
        remaining -= 1;
        at += 1;
      } else {
        const end = bytes.indexOf(0x0a, at);
        sizeLine += bytes.toString("latin1", at, end < 0 ? bytes.length : end);
        if (end < 0) return;
        at = end + 1;
        const size = Number.parseInt(sizeLine, 16);
        if (!(size >= 0)) throw new Error("a body of malformed chunks");
        sizeLine = "";
        if (size === 0) return onEnd();
        remaining = size + 2;
      }
    }
  };
}
