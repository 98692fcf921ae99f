import { readFileSync } from "node:fs";
import { encodeSseEvent, SSE_KEEPALIVE } from "@localstreet/contracts/sse";
import { testData } from "@localstreet/testkit/test-data";
import { expect, test } from "vitest";
import { createSseParser } from "../src/sse-parser.ts";

interface Dispatched {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

/** What a browser's EventSource would dispatch for `chunks`, in order, and the last `retry:`. */
function dispatch(chunks: readonly Uint8Array[]): { events: Dispatched[]; retryMs: number | null } {
  const events: Dispatched[] = [];
  let lastEventId = "";
  let retryMs: number | null = null;
  const parser = createSseParser({
    onEvent({ event, id, data }) {
      lastEventId = id ?? lastEventId;
      events.push({ type: event, data, lastEventId });
    },
    onId(id) {
      lastEventId = id;
    },
    onRetry(ms) {
      retryMs = ms;
    },
  });
  for (const chunk of chunks) parser.push(chunk);
  return { events, retryMs };
}

const bytes = (text: string) => new TextEncoder().encode(text);

interface Vector {
  readonly src: string;
  readonly stream: string;
  readonly events: readonly Partial<Dispatched>[];
  readonly retry?: number;
}

const vectorsFile = testData("sse/wpt-vectors.json");

test.skipIf(vectorsFile === null)(
  "the vectors of web-platform-tests are read as a browser reads them, wherever they are cut",
  () => {
    const { vectors } = JSON.parse(readFileSync(vectorsFile as string, "utf8")) as {
      vectors: Vector[];
    };
    expect(vectors.length).toBeGreaterThan(10);
    for (const { src, stream, events, retry } of vectors) {
      const whole = bytes(stream);
      const cuts = [[whole], [...whole].map((byte) => Uint8Array.of(byte))];
      for (let at = 1; at < Math.min(whole.length, 200); at++) {
        cuts.push([whole.subarray(0, at), whole.subarray(at)]);
      }
      for (const chunks of cuts) {
        const read = dispatch(chunks);
        expect(read.events, src).toHaveLength(events.length);
        expect(read.events, src).toMatchObject(events);
        if (retry !== undefined) expect(read.retryMs, src).toBe(retry);
      }
    }
  },
);

test.each([
  ["each kind of line end", "a\rb\nc\r\nd\n\re\r\rf\n\ng"],
  ["lines of the format", "id: 1\nevent: other\ndata: x\nretry: 5\n: comment\n\n"],
  ["a line end at its edges", "\r\n a \n"],
  ["nothing", ""],
  ["spaces at its edges", "  a  "],
  ["a byte order mark", "\ufeffa\n\ufeffb"],
  ["NUL and other controls", "a\0b\u0001\u0085\u2028\u2029c"],
  ["characters of four bytes", "👩‍👩‍👧\n🥖"],
])("what is encoded with %s is read as one event with the same text", (_name, data) => {
  const other = encodeSseEvent({ event: "next", id: "n2", data: "{}" });
  const text =
    encodeSseEvent({ retryMs: 1_500, event: "new-order", id: "n1", data }) + SSE_KEEPALIVE + other;
  const whole = bytes(text);
  for (const chunks of [[whole], [...whole].map((byte) => Uint8Array.of(byte))]) {
    expect(dispatch(chunks)).toEqual({
      events: [
        // Of a line end, a client learns that there was one.
        { type: "new-order", data: data.replace(/\r\n?/g, "\n"), lastEventId: "n1" },
        { type: "next", data: "{}", lastEventId: "n2" },
      ],
      retryMs: 1_500,
    });
  }
});
