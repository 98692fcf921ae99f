import type { Position } from "@localstreet/contracts/tracking";
import { expect, test } from "vitest";
import { driverAt } from "./driver-state.ts";

const nowMs = Date.parse("2026-03-01T12:00:00.000Z");
const ago = (ms: number) => new Date(nowMs - ms).toISOString();

function position(recordedAgoMs: number, acceptedAgoMs: number): Position {
  return {
    lat: 57.7,
    lng: 11.97,
    accuracy: null,
    heading: null,
    speed: null,
    recordedAt: ago(recordedAgoMs),
    timestamp: ago(acceptedAgoMs),
  };
}

test.each([
  [0, 0, "live"],
  [14_999, 0, "live"],
  [15_000, 0, "stale"],
  [3_600_000, 0, "stale"],
  [-29_000, 0, "live"],
  [29_999, 29_999, "stale"],
])("T9: a fix %i ms old that came %i ms ago is %s", (recordedAgoMs, acceptedAgoMs, state) => {
  const newest = position(recordedAgoMs, acceptedAgoMs);
  expect(driverAt(newest, nowMs)).toEqual({ state, position: newest, fixAt: newest.recordedAt });
});

test.each([[null], [position(30_000, 30_000)], [position(0, 30_001)]])(
  "T9: without a fix for 30 s a driver is lost",
  (newest) => {
    expect(driverAt(newest, nowMs)).toEqual({ state: "lost", position: null, fixAt: null });
  },
);
