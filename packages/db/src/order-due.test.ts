import fc from "fast-check";
import { expect, test } from "vitest";
import { nextDueAt, type OrderDeadlines, type RingingOrder, whatIsDue } from "./order-due.ts";

const START_MS = Date.UTC(2026, 0, 1);
const at = (ms: number) => new Date(START_MS + ms);

const ringing: RingingOrder = {
  status: "placed",
  storedAt: at(0),
  receivedAt: null,
  seenAt: null,
  escalatedAt: null,
  reminders: 0,
  attended: false,
  opsTold: false,
};

const deadlines: OrderDeadlines = {
  remindAfterMs: 30_000,
  remindEveryMs: 30_000,
  escalateAfterMs: 120_000,
  nobodyAfterMs: 10_000,
  expireAfterMs: 600_000,
};

const anyDeadlines = fc.record({
  remindAfterMs: fc.integer({ min: 1, max: 300 }),
  remindEveryMs: fc.integer({ min: 1, max: 300 }),
  escalateAfterMs: fc.integer({ min: 1, max: 600 }),
  nobodyAfterMs: fc.integer({ min: 1, max: 200 }),
  expireAfterMs: fc.integer({ min: 1, max: 900 }),
});

const anyOrder: fc.Arbitrary<RingingOrder> = fc.record({
  status: fc.constant("placed" as const),
  storedAt: fc.constant(at(0)),
  receivedAt: fc.option(fc.constant(at(5))),
  seenAt: fc.option(fc.constant(at(6))),
  escalatedAt: fc.option(fc.integer({ min: 0, max: 900 }).map(at)),
  reminders: fc.nat(5),
  attended: fc.boolean(),
  opsTold: fc.boolean(),
});

/** Lives through an order that nobody answers, looked at at the given times. */
function live(options: {
  deadlines: OrderDeadlines;
  times: readonly number[];
  isDeviceOpen: (ms: number) => boolean;
}): string[] {
  let order = ringing;
  let dueAt = nextDueAt(order, options.deadlines, at(0));
  const events: string[] = [];
  for (const ms of options.times) {
    if (!dueAt || dueAt > at(ms)) continue;
    const due = whatIsDue(order, options.deadlines, at(ms));
    if (due?.kind === "expire") return [...events, `${ms} expired`];
    if (due?.reminder) {
      events.push(`${ms} reminder ${due.reminder}`);
      order = { ...order, reminders: due.reminder };
    }
    const isOpen = options.isDeviceOpen(ms);
    if (due?.look !== "no" && due && isOpen) order = { ...order, attended: true };
    if (due?.escalate || (due?.look === "last" && !isOpen)) {
      events.push(`${ms} ${due.escalate ? "unanswered" : "nobody-connected"}`);
      order = { ...order, escalatedAt: at(ms), opsTold: true };
    }
    dueAt = nextDueAt(order, options.deadlines, at(ms));
  }
  return events;
}

const everySecond = Array.from({ length: 601 }, (_, second) => second * 1_000);

test("S31 S32 S33: an unanswered order is repeated, escalated once and expires", () => {
  const events = live({ deadlines, times: everySecond, isDeviceOpen: () => true });
  const reminders = Array.from({ length: 19 }, (_, n) => `${(n + 1) * 30_000} reminder ${n + 1}`);
  expect(events).toEqual([
    ...reminders.slice(0, 4),
    "120000 unanswered",
    ...reminders.slice(4),
    "600000 expired",
  ]);
});

test("S32: an order for which no device is open is escalated early; a device at any look prevents it", () => {
  const early = live({ deadlines, times: everySecond, isDeviceOpen: () => false });
  expect(early.slice(0, 2)).toEqual(["10000 nobody-connected", "30000 reminder 1"]);
  expect(early.filter((event) => event.includes("unanswered"))).toEqual([]);
  for (const openAt of [3_000, 5_000, 8_000, 10_000]) {
    const late = live({ deadlines, times: everySecond, isDeviceOpen: (ms) => ms === openAt });
    expect(late.find((event) => !event.includes("reminder"))).toBe("120000 unanswered");
  }
});

test("S34: what fell due while nobody could look is done once: the newest reminder, an escalation, or only the expiry", () => {
  const isDeviceOpen = () => true;
  const back = (ms: number) => live({ deadlines, times: [1_000, ms], isDeviceOpen });
  expect(back(100_000)).toEqual(["100000 reminder 3"]);
  expect(back(170_000)).toEqual(["170000 reminder 5", "170000 unanswered"]);
  expect(back(3_600_000)).toEqual(["3600000 expired"]);
});

test("S34: an order is due exactly when something is to be done, whatever happened to it before", () => {
  fc.assert(
    fc.property(anyOrder, anyDeadlines, fc.nat(1_000), (order, settings, ms) => {
      const dueAt = nextDueAt(order, settings, at(0)) as Date;
      // Escalated in the log and not told: due since then, whatever the other deadlines.
      if (order.escalatedAt && !order.opsTold && ms < settings.expireAfterMs) {
        expect(whatIsDue(order, settings, at(ms))).not.toBeNull();
        return;
      }
      expect(whatIsDue(order, settings, at(ms)) !== null).toBe(dueAt <= at(ms));
    }),
    { numRuns: 2_000 },
  );
});

test("S31 S34: whenever it is looked at, an order gets each reminder at most once, in order, and comes to rest", () => {
  fc.assert(
    fc.property(
      anyDeadlines,
      fc.array(fc.nat(1_200), { maxLength: 60 }).map((times) => times.sort((a, b) => a - b)),
      fc.boolean(),
      (settings, times, isOpen) => {
        const all = [...times, 1_300, 1_301];
        const events = live({ deadlines: settings, times: all, isDeviceOpen: () => isOpen });
        const numbers = events.flatMap((event) => /reminder (\d+)/.exec(event)?.[1] ?? []);
        expect(numbers.map(Number)).toEqual(
          [...new Set(numbers.map(Number))].sort((a, b) => a - b),
        );
        expect(events.filter((event) => /unanswered|nobody/.test(event)).length).toBeLessThan(2);
        expect(events.filter((event) => event.endsWith("expired"))).toHaveLength(1);
        expect(events.at(-1)).toMatch(/expired$/);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("S31: a decided order is never due", () => {
  for (const status of ["accepted", "rejected", "preparing", "cancelled", "expired"] as const) {
    expect(nextDueAt({ ...ringing, status }, deadlines, at(0))).toBeNull();
    expect(whatIsDue({ ...ringing, status }, deadlines, at(900_000))).toBeNull();
  }
});
