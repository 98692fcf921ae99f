import { fixSchema, type Position } from "@localstreet/contracts/tracking";
import { expect, test } from "vitest";
import { acceptFix } from "./accept-fix.ts";

const nowMs = Date.parse("2026-03-01T12:00:00.000Z");
const at = (offsetMs: number) => new Date(nowMs + offsetMs).toISOString();
const fixAt = (offsetMs: number) =>
  fixSchema.parse({ lat: 57.7, lng: 11.97, recordedAt: at(offsetMs) });
const positionAt = (offsetMs: number): Position => ({
  lat: 57.7,
  lng: 11.97,
  accuracy: null,
  heading: null,
  speed: null,
  recordedAt: at(offsetMs),
  timestamp: at(offsetMs),
});

test("T1: a fix without a time was recorded when it arrived", () => {
  const decision = acceptFix(null, { lat: -90, lng: 180, speed: 3.5 }, nowMs);
  expect(decision).toEqual({
    outcome: "accepted",
    position: {
      lat: -90,
      lng: 180,
      accuracy: null,
      heading: null,
      speed: 3.5,
      recordedAt: at(0),
      timestamp: at(0),
    },
  });
});

test.each([
  [-1, "accepted"],
  [0, "late"],
  [1, "late"],
])("T2: after a position %i ms newer than the fix it is %s", (newerMs, outcome) => {
  expect(acceptFix(positionAt(newerMs - 5_000), fixAt(-5_000), nowMs).outcome).toBe(outcome);
});

test.each([
  [30_000, "accepted"],
  [30_001, "impossible"],
  [-86_400_000, "accepted"],
  [-86_400_001, "impossible"],
])("T2: a fix recorded %i ms from now is %s", (offsetMs, outcome) => {
  expect(acceptFix(null, fixAt(offsetMs), nowMs).outcome).toBe(outcome);
});
