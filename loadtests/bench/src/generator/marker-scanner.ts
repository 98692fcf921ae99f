/**
 * Every message of a benchmark carries a marker and a number of eight digits (`"seq":1` and `00000042`), in whatever
 * format its server writes. Finding markers is all that a receiver does with what it reads, so one scanner serves
 * Server-Sent Events, WebSocket and Socket.IO alike, and costs next to nothing beside the read itself.
 */
export const MARKER_DIGITS = 8;

/** A marker and its digits that a read cut in two, kept until the rest comes. */
export class MarkerScanner {
  readonly #marker: Buffer;
  readonly #length: number;
  #carry: Buffer | undefined;

  constructor(marker: string) {
    this.#marker = Buffer.from(marker);
    this.#length = this.#marker.length + MARKER_DIGITS;
  }

  /** Calls `onNumber` for every number in `bytes`, which belong to the caller and may be overwritten afterwards. */
  scan(bytes: Buffer, onNumber: (number: number) => void): void {
    const chunk = this.#carry ? Buffer.concat([this.#carry, bytes]) : bytes;
    this.#carry = undefined;
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(this.#marker, from);
      if (at === -1) break;
      if (at + this.#length > chunk.length) {
        this.#carry = Buffer.from(chunk.subarray(at));
        return;
      }
      let number = 0;
      for (let digit = at + this.#marker.length; digit < at + this.#length; digit++) {
        number = number * 10 + (chunk[digit] as number) - 48;
      }
      onNumber(number);
      from = at + this.#length;
    }
    const rest = Math.max(from, chunk.length - this.#marker.length + 1);
    if (rest < chunk.length && this.#mayBegin(chunk, rest)) {
      this.#carry = Buffer.from(chunk.subarray(rest));
    }
  }

  #mayBegin(chunk: Buffer, from: number): boolean {
    return chunk.indexOf(this.#marker[0] as number, from) !== -1;
  }
}

/** A number as it stands behind the marker. */
export function markerDigits(number: number): string {
  return String(number).padStart(MARKER_DIGITS, "0");
}
