import { expect, test } from "vitest";
import { createAudience } from "./audience.ts";

test("interest begins with the first member of a key and ends with the last", () => {
  const calls: string[] = [];
  const audience = createAudience<string, number>({
    onFirst: (key) => calls.push(`+${key}`),
    onLast: (key) => calls.push(`-${key}`),
  });
  audience.join("a", 1);
  audience.join("a", 1);
  audience.join("a", 2);
  audience.join("b", 1);
  expect(audience.size).toBe(3);
  expect([...audience.of("a")]).toEqual([1, 2]);
  audience.leave("a", 1);
  audience.leave("a", 1);
  audience.leave("nobody", 1);
  expect(calls).toEqual(["+a", "+b"]);
  audience.leave("a", 2);
  expect(calls).toEqual(["+a", "+b", "-a"]);
  expect([...audience.of("a")]).toEqual([]);
  expect([...audience.keys()]).toEqual(["b"]);
  expect(audience.size).toBe(1);
});

test("a member may leave while its key is served", () => {
  const audience = createAudience<string, number>();
  for (const member of [1, 2, 3]) audience.join("a", member);
  const served: number[] = [];
  for (const member of audience.of("a")) {
    served.push(member);
    audience.leave("a", member);
  }
  expect(served).toEqual([1, 2, 3]);
});
