import { expect, test } from "vitest";
import { judgeSmoke } from "./verdict.ts";

const WHOLE = {
  "vusers.created": 2,
  "smoke.orders.sent": 6,
  "smoke.orders.arrived": 6,
  "smoke.messages.sent": 6,
  "smoke.messages.arrived": 6,
  "smoke.activity.arrived": 6,
  "smoke.fixes.sent": 2,
  "smoke.fixes.arrived": 2,
  "smoke.visits.whole": 2,
};
const faultsOf = (counters: Record<string, number>) =>
  judgeSmoke({ aggregate: { counters } }).faults;

test("everything sent and arrived is no fault", () => {
  expect(faultsOf(WHOLE)).toEqual([]);
});

test("each thing that is missing is a fault of its own", () => {
  for (const name of Object.keys(WHOLE)) {
    if (name.endsWith(".sent") || name === "vusers.created") continue;
    expect(faultsOf({ ...WHOLE, [name]: 1 }).length, name).toBe(1);
  }
});

test("a run in which nothing happened has not passed", () => {
  expect(faultsOf({}).join()).toContain("no orders were sent at all");
  expect(faultsOf({ "vusers.created": 5 }).join()).toContain("0 of 5 visits");
});

test("an error of Artillery's is a fault, whatever the counters say", () => {
  expect(faultsOf({ ...WHOLE, "errors.ECONNREFUSED": 3 })).toEqual(["ECONNREFUSED (3 times)"]);
});
