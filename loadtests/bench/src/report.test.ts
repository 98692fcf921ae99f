import { expect, test } from "vitest";
import { formatResult, keepNotes } from "./report.ts";
import type { BenchmarkResult } from "./run-benchmark.ts";

function resultOf(generatorShare: number): BenchmarkResult {
  return {
    benchmark: {
      name: "b",
      title: "A comparison",
      contestants: [],
      columns: [{ figure: "cpu", title: "CPU µs", digits: 1 }],
      targets: [],
    },
    contestants: [
      { name: "floor", rounds: [{ cpu: 2, generatorShare: 0.1 }, undefined], fault: "it broke" },
      { name: "platform", rounds: [{ cpu: 3, generatorShare }] },
      { name: "nchan", rounds: [], fault: "not installed" },
    ],
  };
}

test("a row compares the platform with it, and says what failed", () => {
  const text = formatResult(resultOf(0.2));
  expect(text).toContain("| floor | 2.0 | 1.50 (1.50–1.50) × |");
  expect(text).toContain("| nchan | not measured: not installed |");
  expect(text).toContain("floor: a round failed: it broke");
});

test("a generator that took more than 60 % of the machine is told to be part of the result", () => {
  expect(formatResult(resultOf(0.6))).not.toContain("part of this result");
  expect(formatResult(resultOf(0.61))).toContain(
    "**platform: the generator took 61 % of the machine, so it is part of this result.**",
  );
});

test("new profiles leave what was written below them", () => {
  const before = "# Profiles\n\nold\n\n## What was tried\n\nMuch.\n";
  expect(keepNotes("# Profiles\n\nnew\n", before)).toBe(
    "# Profiles\n\nnew\n\n## What was tried\n\nMuch.\n",
  );
  expect(keepNotes("new\n", "old\n")).toBe("new\n");
});
