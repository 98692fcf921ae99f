import { expect, test } from "vitest";
import { createSseParser, type StreamEvent } from "./sse-parser.ts";

/** Parses `chunks` and tells everything that came out, in order. */
function parse(chunks: Uint8Array[]): unknown[] {
  const out: unknown[] = [];
  const parser = createSseParser({
    onEvent: (event: StreamEvent) => out.push([event.event, event.id, event.data]),
    onId: (id) => out.push({ id }),
    onRetry: (retryMs) => out.push({ retryMs }),
  });
  for (const chunk of chunks) parser.push(chunk);
  return out;
}

const bytes = (text: string) => new TextEncoder().encode(text);

const LINES = [
  ": a comment",
  "",
  "retry: 1500",
  "retry: soon",
  "id: a1",
  "event: new-order",
  "data: först",
  "data:andra",
  "data",
  "data:  two spaces: a colon",
  "",
  "data: without an id 🛵",
  "",
  "id: b\u00002",
  "event: kept",
  "data: the id with NUL was ignored",
  "",
  "event: nothing",
  "id: c3",
  "",
  "unknown: field",
  "data:",
  "",
  "id",
  "data: an empty id",
  "",
  "id: lost",
  "data: never finished",
];
const EVENTS = [
  { retryMs: 1500 },
  ["new-order", "a1", "först\nandra\n\n two spaces: a colon"],
  ["message", null, "without an id 🛵"],
  ["kept", null, "the id with NUL was ignored"],
  { id: "c3" },
  ["message", null, ""],
  ["message", "", "an empty id"],
];

for (const [name, lineEnd] of [
  ["LF", "\n"],
  ["CR", "\r"],
  ["CRLF", "\r\n"],
]) {
  test(`a stream with ${name} is the same events wherever it is cut in two`, () => {
    const whole = bytes(`\uFEFF${LINES.join(lineEnd)}`);
    expect(parse([whole])).toEqual(EVENTS);
    for (let cut = 1; cut < whole.length; cut++) {
      expect(parse([whole.subarray(0, cut), whole.subarray(cut)]), `cut at ${cut}`).toEqual(EVENTS);
    }
  });

  test(`a stream with ${name} is the same events byte by byte`, () => {
    const whole = bytes(`\uFEFF${LINES.join(lineEnd)}`);
    expect(parse([...whole].map((byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
  });
}

test("mixed line endings end one line each", () => {
  expect(parse([bytes("data: a\r\ndata: b\rdata: c\n\r\n")])).toEqual([
    ["message", null, "a\nb\nc"],
  ]);
});

test("an event is told at once when its last byte is a CR", () => {
  expect(parse([bytes("data: now\r\r")])).toEqual([["message", null, "now"]]);
});

test("a byte order mark counts at the very start only", () => {
  expect(parse([bytes("\uFEFFdata: a\n\n\uFEFFdata: b\n\n")])).toEqual([["message", null, "a"]]);
});

test("an endless event is refused instead of kept", () => {
  const line = bytes(`data: ${"x".repeat(100_000)}\n`);
  expect(() => parse(Array.from({ length: 11 }, () => line))).toThrow(RangeError);
  expect(() => parse(Array.from({ length: 11 }, () => bytes("y".repeat(100_000))))).toThrow(
    RangeError,
  );
});

test("comments do not count as an event's length", () => {
  const comment = bytes(`: ${"z".repeat(500_000)}\n`);
  expect(parse([comment, comment, comment, bytes("data: a\n\n")])).toEqual([
    ["message", null, "a"],
  ]);
});
