import { expect, test } from "vitest";
import { encodeSseEvent } from "./sse.ts";

test("each kind of line break in data becomes a line of its own", () => {
  expect(encodeSseEvent({ event: "new-order", id: "e-1-a", data: "a\rb\nc\r\nd\n" })).toBe(
    "id: e-1-a\nevent: new-order\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\n",
  );
});

test("a line break in a field is refused", () => {
  for (const value of ["a\nb", "a\rb", "a\0b"]) {
    expect(() => encodeSseEvent({ id: value })).toThrow(TypeError);
    expect(() => encodeSseEvent({ event: value })).toThrow(TypeError);
  }
});
