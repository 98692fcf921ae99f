import { expect, test } from "vitest";
import { MarkerScanner, markerDigits } from "./marker-scanner.ts";

const MARKER = '"seq":1';
const text = [1, 2, 30].map((n) => `id: x\ndata: {"seq":1${markerDigits(n)},"a":"b"}\n\n`).join("");

test("every number is found, wherever the reads are cut", () => {
  for (let size = 1; size <= text.length; size++) {
    const scanner = new MarkerScanner(MARKER);
    const found: number[] = [];
    for (let at = 0; at < text.length; at += size) {
      scanner.scan(Buffer.from(text.slice(at, at + size)), (number) => found.push(number));
    }
    expect(found, `cut every ${size} bytes`).toEqual([1, 2, 30]);
  }
});

test("what is kept between reads is not the caller's buffer", () => {
  const scanner = new MarkerScanner(MARKER);
  const buffer = Buffer.from('{"seq":10000');
  const found: number[] = [];
  scanner.scan(buffer, (number) => found.push(number));
  buffer.fill(0);
  scanner.scan(Buffer.from("0007}"), (number) => found.push(number));
  expect(found).toEqual([7]);
});
