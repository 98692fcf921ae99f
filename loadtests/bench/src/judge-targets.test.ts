import { expect, test } from "vitest";
import type { Target } from "./benchmark.ts";
import { judgeTargets } from "./judge-targets.ts";
import type { BenchmarkResult } from "./run-benchmark.ts";

const target: Target = {
  what: "cost",
  figure: "cpu",
  of: "platform",
  against: "floor",
  atMost: 1.5,
};

function resultOf(targets: Target[], platform: (number | undefined)[], floor: number[]) {
  const rounds = (values: (number | undefined)[]) =>
    values.map((cpu) => (cpu === undefined ? undefined : { cpu }));
  return {
    benchmark: { name: "b", title: "b", contestants: [], columns: [], targets },
    contestants: [
      { name: "platform", rounds: rounds(platform) },
      { name: "floor", rounds: rounds(floor) },
    ],
  } satisfies BenchmarkResult;
}

test("a target is met or missed by the median of the paired ratios", () => {
  const [met] = judgeTargets(resultOf([target], [1, 30, 1.4], [1, 10, 1]));
  expect(met).toMatchObject({ verdict: "met", measured: { median: 1.4, min: 1, max: 3 } });
  const [missed] = judgeTargets(resultOf([target], [2, 2, 1], [1, 1, 1]));
  expect(missed?.verdict).toBe("missed");
});

test("a target with nobody to compare with is not measured, and not met", () => {
  const [judged] = judgeTargets(resultOf([{ ...target, against: "nchan" }], [1], [1]));
  expect(judged?.verdict).toBe("not measured");
});

test("a figure may be judged by itself", () => {
  const lost: Target = { what: "lost", figure: "cpu", of: "platform", against: null, atMost: 0 };
  expect(judgeTargets(resultOf([lost], [0, 0, 0], []))[0]?.verdict).toBe("met");
  expect(judgeTargets(resultOf([lost], [1, 1, 0], []))[0]?.verdict).toBe("missed");
});
