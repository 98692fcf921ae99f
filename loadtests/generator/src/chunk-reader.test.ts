import { expect, test } from "vitest";
import { createChunkReader } from "./chunk-reader.ts";

const BODY =
  "5\r\nevent\r\n1e;name=value\r\n: abcdefghijklmnopqrstuvwxyz\r\n\r\n2\r\n\n\n\r\n0\r\n\r\n";
const TEXT = "event: abcdefghijklmnopqrstuvwxyz\r\n\n\n";

test.each([1, 2, 3, 7, 1_000])("chunks are read in pieces of %i bytes", (size) => {
  let text = "";
  let ends = 0;
  const read = createChunkReader(
    (more) => {
      text += more;
    },
    () => {
      ends += 1;
    },
  );
  const bytes = Buffer.from(BODY);
  for (let at = 0; at < bytes.length && ends === 0; at += size) read(bytes.subarray(at, at + size));
  expect(text).toBe(TEXT);
  expect(ends).toBe(1);
});

test("what is no chunk is an error", () => {
  const read = createChunkReader(
    () => {},
    () => {},
  );
  expect(() => read(Buffer.from("zz\r\n"))).toThrow("malformed chunks");
});
