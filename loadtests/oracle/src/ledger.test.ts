import { expect, test } from "vitest";
import { createLedger, orderKey } from "./ledger.ts";

test("an entry for two devices takes less than 130 bytes, and only entries take memory", () => {
  const ENTRIES = 100_000;
  const ledger = createLedger({ path: "orders" });
  const audience = ["till", "kitchen"];
  for (let n = 1; n <= ENTRIES; n++) {
    const key = orderKey("vendor-12", `2f1b8a6c-${String(n).padStart(27, "0")}`);
    const id = `k3j9x0ab-${n}-aaaaaa`;
    ledger.offer(key, { audience, scopes: ["vendor-12"], group: "vendor-12", atMs: n });
    ledger.acknowledge(key, { id, atMs: n });
    for (const receiver of audience) ledger.receive(receiver, { key, id, atMs: n });
  }
  expect(ledger.outstanding()).toBe(0);
  expect(ledger.bytes / ENTRIES).toBeLessThan(130);
});

test("whoever joins is owed what is offered from then on, until it leaves", () => {
  const ledger = createLedger({ path: "orders" });
  const offer = (key: string) => {
    ledger.offer(key, { audience: ledger.membersOf("bakery"), scopes: ["bakery"], atMs: 0 });
    ledger.acknowledge(key, { atMs: 1 });
  };
  ledger.admit("till", "bakery");
  offer("before");
  ledger.join("till", "bakery");
  ledger.join("till", "bakery");
  expect(ledger.membersOf("bakery")).toEqual(["till"]);
  offer("meanwhile");
  ledger.leave("till", "bakery");
  offer("after");
  expect(ledger.outstanding()).toBe(1);
  ledger.receive("till", { key: "meanwhile", atMs: 2 });
  expect(ledger.outstanding()).toBe(0);
});

test("an order that was refused and then accepted is accepted", () => {
  const ledger = createLedger({ path: "orders" });
  ledger.offer("o1", { audience: ["till"], atMs: 0 });
  ledger.refuse("o1", { code: "rate-limited" });
  ledger.acknowledge("o1", { atMs: 1 });
  ledger.refuse("o1", { code: "late" });
  expect(ledger.outstanding()).toBe(1);
});

test("who stands twice in an audience is owed once, and what was never offered is owed to nobody", () => {
  const ledger = createLedger({ path: "chat" });
  ledger.acknowledge("never-offered", { atMs: 1 });
  expect(ledger.outstanding()).toBe(0);
  ledger.offer("m1", { audience: ["ana", "bo", "ana"], atMs: 1 });
  ledger.acknowledge("m1", { atMs: 2 });
  expect(ledger.outstanding()).toBe(2);
});
