/** FNV-1a over UTF-16 units with a final mix: a table's lowest bits are to differ as well. Unsigned, 32 bits. */
export function hash32(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** 52 bits and never zero: enough to tell two ids of one entry apart without keeping either. */
export function hash52(text: string): number {
  return hash32(text) * 0x10_0000 + (hash32(text, 0x9747b28c) >>> 12) + 1;
}
