import { expect, test } from "vitest";
import { encodeEventId, parseEventId } from "./event-id.ts";

test("an event id is read back as it was written", () => {
  const eventId = { epoch: "k3j9x0ab", sequence: 9_007_199_254_740_991, check: "aZ09_b" };
  expect(parseEventId(encodeEventId(eventId))).toEqual(eventId);
});

test.each([
  "",
  "k3j9x0ab-1",
  "k3j9x0ab--1-aaaaaa",
  "k3j9x0ab-01-aaaaaa",
  "k3j9x0ab-1e3-aaaaaa",
  "k3j9x0ab-9007199254740993-aaaaaa",
  "K3J9X0AB-1-aaaaaa",
  "k3j9x0ab-1-aaaaaa\n",
  "k3j9x0ab-1-aaaaaa,k3j9x0ab-2-aaaaaa",
  "1".repeat(10_000),
])("S8: %j was never issued here", (text) => {
  expect(parseEventId(text)).toBeNull();
});
