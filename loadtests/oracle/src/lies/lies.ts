import type { Fault } from "../judge.ts";
import type { Path } from "../ledger.ts";

export interface Lie {
  readonly path: Path;
  readonly lie: string;
  /** The row of the verdict that must find it. */
  readonly row: Fault | "mended by clients: early" | "mended by clients: repeated";
  /** Rows that may be wrong as well: one lie can break several promises. */
  readonly also?: readonly Fault[];
}

/** Paths that a lie may show on: the dashboard's stream is made of the same orders. */
export const SHOWS_ON: Record<Path, readonly Path[]> = {
  orders: ["orders", "dashboard"],
  dashboard: ["dashboard"],
  chat: ["chat"],
  tracking: ["tracking"],
};

/** Every lie that the lying server can tell, and who must notice. */
export const LIES: readonly Lie[] = [
  { path: "orders", lie: "drops one order in a thousand", row: "lost" },
  { path: "orders", lie: "brings an order twice", row: "repeated" },
  {
    path: "orders",
    lie: "brings an order again under another id",
    row: "duplicated",
    also: ["contradicted"],
  },
  { path: "orders", lie: "brings two orders in the wrong order", row: "outOfOrder" },
  {
    path: "orders",
    lie: "acknowledges an order before it is stored, and loses it",
    row: "acknowledgedNotStored",
    also: ["lost", "wrongAsOf"],
  },
  {
    path: "orders",
    lie: "delivers an order that it does not store",
    row: "deliveredNotStored",
    also: ["acknowledgedNotStored", "wrongAsOf"],
  },
  {
    path: "orders",
    lie: "stores an order twice",
    row: "storedTwice",
    also: ["duplicated", "contradicted"],
  },
  { path: "orders", lie: "sends an order to a stranger", row: "wrongPerson" },
  {
    path: "orders",
    lie: "says complete and replays nothing",
    row: "falselyComplete",
    also: ["lost"],
  },
  {
    path: "orders",
    lie: "replays fewer than it said",
    row: "brokenPromises",
    also: ["lost", "falselyComplete"],
  },
  { path: "orders", lie: "forgets where a stream was", row: "brokenPromises", also: ["lost"] },
  {
    path: "orders",
    lie: "acknowledges an order under the id of another",
    row: "contradicted",
    also: ["outOfOrder", "duplicated"],
  },
  { path: "orders", lie: "invents an order", row: "unoffered" },
  {
    path: "orders",
    lie: "fires a reminder twice, under two ids",
    row: "duplicated",
    also: ["contradicted", "storedTwice"],
  },
  { path: "orders", lie: "rings on though an order was answered", row: "afterAnswer" },
  {
    path: "orders",
    lie: "lets two answers win",
    row: "twoWinners",
    also: ["duplicated", "contradicted", "storedTwice"],
  },
  { path: "orders", lie: "never escalates", row: "neverFired" },
  { path: "orders", lie: "lets no order expire", row: "neverFired" },
  { path: "orders", lie: "leaves an open order out of a snapshot", row: "missedBySnapshot" },
  { path: "orders", lie: "says that a snapshot is older than it is", row: "wrongAsOf" },
  { path: "dashboard", lie: "leaves an order out on the dashboard", row: "lost" },
  { path: "chat", lie: "says that a history is whole and leaves a message out", row: "lost" },
  { path: "chat", lie: "leaves a number out", row: "holes" },
  { path: "chat", lie: "gives a number twice", row: "contradicted", also: ["lost"] },
  {
    path: "chat",
    lie: "acknowledges a message before it is stored, and loses it",
    row: "acknowledgedNotStored",
    also: ["lost", "deliveredNotStored"],
  },
  {
    path: "chat",
    lie: "delivers a message that it does not store",
    row: "deliveredNotStored",
    also: ["acknowledgedNotStored", "lost"],
  },
  { path: "chat", lie: "sends a message to a stranger", row: "wrongPerson" },
  {
    path: "chat",
    lie: "pushes a message again under the next number",
    row: "duplicated",
    also: ["contradicted", "holes", "lost"],
  },
  { path: "chat", lie: "pushes a message twice", row: "mended by clients: repeated" },
  {
    path: "chat",
    lie: "pushes two messages in the wrong order",
    row: "mended by clients: early",
  },
  {
    path: "chat",
    lie: "does not push a message to one device",
    row: "mended by clients: early",
  },
  { path: "tracking", lie: "shows an older position after a newer one", row: "outOfOrder" },
  { path: "tracking", lie: "keeps the last positions to itself", row: "neverNewest" },
  { path: "tracking", lie: "shows a courier to a stranger", row: "wrongPerson" },
];
