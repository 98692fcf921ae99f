import { judge } from "@localstreet/oracle/judge";
import { createLedger } from "@localstreet/oracle/ledger";
import { expect, test } from "vitest";
import { FAULTS } from "./catalogue.ts";
import { type FaultResult, formatResult, formatTable, outcomeOf } from "./fault-result.ts";

/** An order that is acknowledged and reaches one of its two receivers, or both. */
function verdictOf(receivers: string[]) {
  const ledger = createLedger({ path: "orders" });
  ledger.offer("order-1", { audience: ["till", "kitchen"], group: "bakery", atMs: 0 });
  ledger.acknowledge("order-1", { atMs: 3 });
  for (const receiver of receivers) ledger.receive(receiver, { key: "order-1", atMs: 5 });
  return judge(ledger);
}

function resultOf(changes: Partial<FaultResult>): FaultResult {
  return {
    fault: "flood",
    harm: "water | everywhere",
    promise: "nothing gets wet",
    outcome: "kept",
    reason: null,
    checks: [{ what: "all are back within 10 s", ok: true, measured: "0.50 s" }],
    notes: ["3 buckets"],
    verdicts: [verdictOf(["till", "kitchen"])],
    natsNodes: 1,
    size: 1,
    seconds: 12.3,
    at: "2026-01-01 10:00, abc1234",
    ...changes,
  };
}

test("a promise is kept when every check and every path is good", () => {
  const good = verdictOf(["till", "kitchen"]);
  const [check] = resultOf({}).checks;
  const failed = { what: "dry", ok: false, measured: "wet" };
  expect(outcomeOf(check ? [check] : [], [good])).toBe("kept");
  expect(outcomeOf([failed], [good])).toBe("broken");
  expect(outcomeOf([], [good, verdictOf(["till"])])).toBe("broken");
});

test("the line of a fault begins with what was not kept", () => {
  const result = resultOf({
    outcome: "broken",
    checks: [
      { what: "all are back within 10 s", ok: true, measured: "0.50 s" },
      { what: "dry", ok: false, measured: "wet" },
    ],
    verdicts: [verdictOf(["till"])],
  });
  expect(formatResult(result)).toMatch(
    /^BROKEN flood +12 s {2}NOT dry: wet; FAILED orders 1 lost; .*; all are back within 10 s: 0.50 s; 3 buckets$/,
  );
  expect(formatResult(resultOf({}))).toMatch(
    /^KEPT {3}flood .* orders 1 of 1 acknowledged, 2 of 2 delivered, p99 \d+ ms, max \d+ ms; 3 buckets$/,
  );
});

test("the table has a row for each fault, and no cell breaks it", () => {
  const table = formatTable(
    [resultOf({}), resultOf({ outcome: "broken", natsNodes: 3 })],
    ["a fact"],
  );
  const rows = table.split("\n").filter((line) => line.startsWith("| `"));
  expect(rows).toHaveLength(2);
  for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(8);
  expect(rows[0]).toContain("water \\| everywhere");
  expect(rows[1]).toContain("`flood` (3 NATS nodes)");
  expect(rows[1]).toContain("**broken**");
});

test("every fault has a name of its own that can be typed", () => {
  const names = FAULTS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
});
