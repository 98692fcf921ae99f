import { expect, test } from "vitest";
import { parseArguments } from "./arguments.ts";
import { CATALOGUE } from "./catalogue.ts";

test("a scenario has its usual size unless it is told another", () => {
  expect(parseArguments(["hold"])).toMatchObject({ kind: "run", run: { size: 5_000 } });
  expect(parseArguments(["chat", "--size", "7", "--target", "http://x"])).toMatchObject({
    run: { size: 7, target: "http://x", scenario: { name: "chat" } },
  });
  expect(CATALOGUE.map(({ name }) => name)).toEqual([
    ...new Set(CATALOGUE.map(({ name }) => name)),
  ]);
});

test.each<[string[], RegExp]>([
  [[], /Which scenario\?/],
  [["flashsale"], /no scenario "flashsale"; did you mean "flash-sale"\?/],
  [["soak"], /no scenario "soak"$/],
  [["chat", "watchers"], /no scenario "watchers"/],
  [["chat", "--size", "0"], /--size 0: must be a whole number from 1/],
  [["chat", "--size", "1e9"], /--size 1e9/],
  [["chat", "--tarrget", "x"], /--tarrget/],
])("%j is a clear error", (argv, message) => {
  const parsed = parseArguments(argv);
  expect(parsed.kind).toBe("wrong");
  expect(parsed.kind === "wrong" && parsed.message).toMatch(message);
});
