import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";

const KNOWN = ["fanout-sse", "fanout-ws"];

test("names are checked, and a typo is answered with what there is", () => {
  const wrong = parseOptions(["fanout-see"], KNOWN);
  expect(wrong).toMatchObject({ kind: "wrong", message: expect.stringContaining("fanout-sse") });
  expect(parseOptions([], KNOWN)).toMatchObject({ kind: "wrong" });
});

test("all is every benchmark, and settings have defaults", () => {
  expect(parseOptions(["all"], KNOWN)).toMatchObject({
    kind: "run",
    options: { names: KNOWN, rounds: 3, seconds: 2, only: [], profile: false, writeDocs: false },
  });
});

test("a number out of range and an unknown flag are errors", () => {
  for (const argv of [
    ["all", "--rounds", "0"],
    ["all", "--seconds", "x"],
    ["all", "--fast"],
  ]) {
    expect(parseOptions(argv, KNOWN).kind).toBe("wrong");
  }
});
