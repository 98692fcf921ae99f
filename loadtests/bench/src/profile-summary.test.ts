import { expect, test } from "vitest";
import { topFunctions } from "./profile-summary.ts";

test("functions are ranked by the time they took themselves, idle time aside", () => {
  const node = (id: number, functionName: string, url = "") => ({
    id,
    callFrame: { functionName, url, lineNumber: 4 },
  });
  const profile = {
    nodes: [
      node(1, "(idle)"),
      node(2, "parse", "file:///a/packages/bus/dist/x.js"),
      node(3, "write"),
    ],
    samples: [1, 2, 3, 3],
    timeDeltas: [1_000, 100, 150, 150],
  };
  expect(topFunctions(profile, 5)).toEqual([" 75.0 %  write", " 25.0 %  parse bus/dist/x.js:5"]);
});
