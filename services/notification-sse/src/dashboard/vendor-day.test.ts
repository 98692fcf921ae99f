import { expect, test } from "vitest";
import { vendorDayAt } from "./vendor-day.ts";

function day(timeZone: string, at: string) {
  const { date, startsAtMs, endsAtMs } = vendorDayAt(timeZone, Date.parse(at));
  const iso = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
  return [date, iso(startsAtMs), iso(endsAtMs), (endsAtMs - startsAtMs) / 3_600_000];
}

test("S40: a day begins and ends at midnight where the vendor is", () => {
  expect(day("UTC", "2026-11-24T23:59:59.999Z")).toEqual([
    ...["2026-11-24", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z", 24],
  ]);
  expect(day("UTC", "2026-11-25T00:00:00.000Z")[0]).toBe("2026-11-25");
  expect(day("Europe/Stockholm", "2026-11-24T23:30:00Z")).toEqual([
    ...["2026-11-25", "2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z", 24],
  ]);
  expect(day("Pacific/Kiritimati", "2026-11-24T10:00:00Z")[0]).toBe("2026-11-25");
  expect(day("Asia/Kathmandu", "2026-11-24T12:00:00Z")[1]).toBe("2026-11-23T18:15:00Z");
});

test("S40: a day on which clocks are changed has 23 or 25 hours, seen from any moment of it", () => {
  for (const at of ["2026-03-28T23:00:00Z", "2026-03-29T00:59:59Z", "2026-03-29T21:59:59Z"]) {
    expect(day("Europe/Stockholm", at)).toEqual([
      ...["2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23],
    ]);
  }
  for (const at of ["2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T22:59:59Z"]) {
    expect(day("Europe/Stockholm", at)).toEqual([
      ...["2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25],
    ]);
  }
  expect(day("Australia/Lord_Howe", "2026-10-03T20:00:00Z")[3]).toBe(23.5);
});

test("S40: where there is no midnight that night, the day begins an hour late", () => {
  // At 00:00 the clocks go to 01:00.
  expect(day("Africa/Cairo", "2026-04-24T10:00:00Z")).toEqual([
    ...["2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z", 23],
  ]);
});
