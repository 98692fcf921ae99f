import { describe, expect, test } from "vitest";
import { nowMs } from "./clock.ts";
import { FAULTS, formatVerdict, judge, type Verdict } from "./judge.ts";
import { createLedger, fixKey, type Ledger } from "./ledger.ts";
import { type LifeEvent, lifeEvent } from "./order-life.ts";

const event = (sequence: number) => `k3j9x0ab-${sequence}-aaaaaa`;
const BOTH = ["till", "kitchen"];

/** Orders 1 to `count` for two devices, offered and acknowledged. */
function offerOrders(count: number): Ledger {
  const ledger = createLedger({ path: "orders" });
  for (let n = 1; n <= count; n++) {
    ledger.offer(`o${n}`, { audience: BOTH, scopes: ["bakery"], group: "bakery", atMs: n });
    ledger.acknowledge(`o${n}`, { id: event(n), atMs: n + 1 });
  }
  return ledger;
}

function bring(ledger: Ledger, receiver: string, ...numbers: number[]): void {
  for (const n of numbers) ledger.receive(receiver, { key: `o${n}`, id: event(n), atMs: n + 5 });
}

/** The rows that are not zero. */
function wrongs(verdict: Verdict): Record<string, number> {
  const rows = FAULTS.map((row) => [row, verdict[row]] as const).filter(([, value]) => value);
  expect(verdict.ok).toBe(rows.length === 0);
  return Object.fromEntries(rows) as Record<string, number>;
}

describe("what happens to an order after it was placed", () => {
  const remindedOf = (n: number) => lifeEvent("bakery", `o${n}`, "reminder:1");
  const tell = (ledger: Ledger, receivers: string[], told: LifeEvent, n: number, atMs = n) => {
    for (const receiver of receivers) ledger.follow(receiver, { ...told, id: event(n), atMs });
  };

  test("is owed to whom the order was, and counts among no figure of the orders", () => {
    const ledger = offerOrders(2);
    for (const receiver of BOTH) bring(ledger, receiver, 1, 2);
    tell(ledger, ["till"], remindedOf(1), 3);
    const verdict = judge(ledger);
    expect(wrongs(verdict)).toEqual({ lost: 1 });
    expect(verdict).toMatchObject({ offered: 2, owed: 4, delivered: 4 });
    expect(verdict).toMatchObject({ events: 1, eventDeliveries: 1 });
    expect(verdict.examples.lost).toEqual(["o1#reminder:1 to kitchen"]);
  });

  test("may still be on its way, but not past a later event", () => {
    const ledger = offerOrders(2);
    for (const receiver of BOTH) bring(ledger, receiver, 1);
    tell(ledger, ["till"], remindedOf(1), 3, nowMs());
    bring(ledger, "till", 2);
    bring(ledger, "kitchen", 2);
    // Number 2 was brought to the till after number 3.
    expect(wrongs(judge(ledger))).toEqual({ outOfOrder: 1 });
    tell(ledger, ["kitchen"], remindedOf(2), 4, nowMs());
    expect(wrongs(judge(ledger))).toMatchObject({ lost: 1, outOfOrder: 1 });
  });

  test("that is stored and was shown to nobody is lost, up to where the store was read", () => {
    const ledger = offerOrders(1);
    for (const receiver of BOTH) bring(ledger, receiver, 1);
    ledger.startStored();
    ledger.store({ key: "o1", id: event(1), group: "bakery" });
    ledger.storeUpTo("bakery", 2);
    tell(ledger, BOTH, remindedOf(1), 3);
    expect(wrongs(judge(ledger))).toEqual({});
    ledger.store({ ...lifeEvent("bakery", "o1", "seen"), id: event(2) });
    expect(wrongs(judge(ledger))).toEqual({ lost: 2 });
  });

  test("is expected, fires under one id, and not after the answer", () => {
    const ledger = offerOrders(1);
    for (const receiver of BOTH) bring(ledger, receiver, 1);
    ledger.expect(remindedOf(1));
    expect(ledger.outstanding()).toBe(1);
    expect(wrongs(judge(ledger))).toEqual({ neverFired: 1 });
    tell(ledger, BOTH, remindedOf(1), 2, 30_000);
    expect(ledger.outstanding()).toBe(0);
    expect(wrongs(judge(ledger))).toEqual({});
    const outcome = lifeEvent("bakery", "o1", "outcome");
    tell(ledger, BOTH, outcome, 3, 40_000);
    tell(ledger, BOTH, lifeEvent("bakery", "o1", "reminder:2"), 4, 40_900);
    expect(wrongs(judge(ledger))).toEqual({});
    tell(ledger, BOTH, lifeEvent("bakery", "o1", "escalated"), 5, 41_100);
    expect(wrongs(judge(ledger))).toEqual({ afterAnswer: 1 });
    tell(ledger, ["till"], outcome, 6, 42_000);
    expect(wrongs(judge(ledger))).toMatchObject({ twoWinners: 1 });
  });

  test("a snapshot has what was open at its position, and nothing else", () => {
    const ledger = offerOrders(3);
    for (const receiver of BOTH) bring(ledger, receiver, 1, 2, 3);
    tell(ledger, BOTH, lifeEvent("bakery", "o1", "outcome"), 4);
    const look = (asOf: number, ...orders: string[]) =>
      ledger.snapshots.push({ group: "bakery", asOf: event(asOf), orders, isWhole: true });
    look(3, "o1", "o2", "o3");
    look(4, "o2", "o3");
    expect(wrongs(judge(ledger))).toEqual({});
    look(4, "o2");
    look(4, "o1", "o2", "o3");
    look(2, "o1", "o2", "o3");
    expect(wrongs(judge(ledger))).toEqual({ missedBySnapshot: 1, wrongAsOf: 2 });
  });
});

describe("orders", () => {
  test("what was brought once, in order, to everybody is right", () => {
    const ledger = offerOrders(3);
    expect(ledger.outstanding()).toBe(6);
    for (const receiver of BOTH) bring(ledger, receiver, 1, 2, 3);
    expect(ledger.outstanding()).toBe(0);
    const stored = [1, 2, 3].map((n) => ({ key: `o${n}`, id: event(n), group: "bakery" }));
    const verdict = judge(ledger, { stored });
    expect(wrongs(verdict)).toEqual({});
    expect(verdict).toMatchObject({ offered: 3, acknowledged: 3, owed: 6, delivered: 6 });
    expect(verdict.latencyMs).toEqual({ p50: 5, p99: 5, max: 5 });
    expect(formatVerdict(verdict)).toMatch(/^ok {5}orders {4}nothing lost or wrong; 3 offered/);
  });

  test("what one of two did not get is lost, by name", () => {
    const ledger = offerOrders(3);
    bring(ledger, "till", 1, 2, 3);
    bring(ledger, "kitchen", 1, 3);
    const verdict = judge(ledger);
    expect(wrongs(verdict)).toEqual({ lost: 1 });
    expect(verdict.examples.lost).toEqual(["o2 to kitchen"]);
    expect(formatVerdict(verdict)).toMatch(/^FAILED orders {4}1 lost; /);
  });

  test("what was not acknowledged is owed to nobody", () => {
    const ledger = createLedger({ path: "orders" });
    ledger.offer("o1", { audience: BOTH, atMs: 0 });
    ledger.offer("o2", { audience: BOTH, atMs: 0 });
    ledger.refuse("o2", { code: "unavailable" });
    bring(ledger, "till", 1);
    const verdict = judge(ledger);
    expect(wrongs(verdict)).toEqual({});
    expect(verdict).toMatchObject({ unknown: 1, refused: 1, refusals: { unavailable: 1 } });
  });

  test("a loss that a receiver was told is complete is told apart", () => {
    const ledger = offerOrders(3);
    bring(ledger, "till", 1, 2, 3);
    ledger.sawVerdict("kitchen", "fresh");
    bring(ledger, "kitchen", 1);
    ledger.sawVerdict("kitchen", "complete", { group: "bakery", from: 1, to: 2 });
    const verdict = judge(ledger);
    expect(wrongs(verdict)).toEqual({ lost: 2, falselyComplete: 1 });
    expect(verdict.verdicts).toEqual({ fresh: 1, complete: 1 });
  });

  test("twice, and in another order", () => {
    const ledger = offerOrders(3);
    bring(ledger, "till", 1, 3, 2, 3);
    bring(ledger, "kitchen", 1, 2, 3);
    expect(wrongs(judge(ledger))).toEqual({ outOfOrder: 1, duplicated: 1 });
  });

  test("a late device of the vendor may have them, a stranger may not", () => {
    const ledger = offerOrders(2);
    for (const receiver of BOTH) bring(ledger, receiver, 1, 2);
    ledger.admit("tablet", "bakery");
    ledger.admit("stranger", "butcher");
    bring(ledger, "tablet", 2);
    bring(ledger, "stranger", 1);
    expect(wrongs(judge(ledger))).toEqual({ wrongPerson: 1 });
  });

  test("what is stored is asked for", () => {
    const ledger = offerOrders(3);
    for (const receiver of BOTH) bring(ledger, receiver, 1, 2);
    const stored = [1, 1].map((n) => ({ key: `o${n}`, id: event(n) }));
    expect(wrongs(judge(ledger, { stored }))).toEqual({
      lost: 2,
      acknowledgedNotStored: 2,
      deliveredNotStored: 1,
      storedTwice: 1,
    });
  });

  test("another id than was acknowledged, and what nobody had sent", () => {
    const ledger = offerOrders(1);
    ledger.receive("till", { key: "o1", id: event(7), atMs: 9 });
    bring(ledger, "kitchen", 1);
    ledger.receive("kitchen", { key: "invented", id: event(8), atMs: 9 });
    const { contradicted, unoffered } = judge(ledger);
    expect(contradicted).toBeGreaterThan(0);
    expect(unoffered).toBe(1);
  });

  test("past its limit the ledger vouches for nothing", () => {
    const ledger = createLedger({ path: "orders", maxEntries: 1 });
    for (const key of ["o1", "o2"]) ledger.offer(key, { audience: [], atMs: 0 });
    expect(wrongs(judge(ledger))).toEqual({ unrecorded: 1 });
  });
});

describe("chat", () => {
  function say(ledger: Ledger, key: string, seq: number): void {
    ledger.offer(key, { audience: ["ana"], atMs: 0 });
    ledger.acknowledge(key, { id: key, seq, group: "c1", atMs: 1 });
    ledger.receive("ana", { key, id: key, seq, group: "c1", atMs: 1 });
  }

  test("a number that nobody has is a hole, unless a message of unknown fate may have it", () => {
    const ledger = createLedger({ path: "chat" });
    say(ledger, "m1", 1);
    say(ledger, "m3", 3);
    expect(wrongs(judge(ledger))).toEqual({ holes: 1 });
    ledger.offer("m2", { audience: ["ana"], atMs: 0 });
    expect(wrongs(judge(ledger))).toEqual({});
    const stored = ["m1", "m3"].map((key) => ({ key }));
    expect(wrongs(judge(ledger, { stored }))).toEqual({ holes: 1 });
  });

  test("one number for two messages", () => {
    const ledger = createLedger({ path: "chat" });
    say(ledger, "m1", 1);
    say(ledger, "m2", 1);
    expect(judge(ledger).contradicted).toBe(1);
  });
});

describe("tracking", () => {
  function drive(...recordedAtMs: number[]): Ledger {
    const ledger = createLedger({ path: "tracking" });
    for (const at of recordedAtMs) {
      ledger.offer(fixKey("d1", at), { audience: ["ana"], group: "d1", atMs: at });
      ledger.acknowledge(fixKey("d1", at), { seq: at, atMs: at });
    }
    return ledger;
  }
  const show = (ledger: Ledger, at: number) =>
    ledger.receive("ana", { key: fixKey("d1", at), seq: at, group: "d1", atMs: at });

  test("fixes may be missed, the newest may not", () => {
    const ledger = drive(1_000, 2_000, 3_000);
    show(ledger, 1_000);
    expect(ledger.outstanding()).toBe(1);
    expect(wrongs(judge(ledger))).toEqual({ neverNewest: 1 });
    show(ledger, 3_000);
    expect(ledger.outstanding()).toBe(0);
    const verdict = judge(ledger);
    expect(wrongs(verdict)).toEqual({});
    expect(verdict.missed).toBe(1);
  });

  test("a position older than one that was shown", () => {
    const ledger = drive(1_000, 2_000);
    show(ledger, 2_000);
    show(ledger, 1_000);
    expect(wrongs(judge(ledger))).toEqual({ outOfOrder: 1 });
  });
});
