import type { Role } from "@localstreet/contracts/auth";
import type { Ledger } from "@localstreet/oracle/ledger";
import type { Caller } from "./caller.ts";
import type { LineCounts } from "./kept-line.ts";

/** What one shop has of each kind of connection: 20 together. */
export const SHOP = {
  desks: 8,
  dashboards: 2,
  buyers: 4,
  chatStaff: 1,
  watchers: 5,
} as const;
export const CONNECTIONS_PER_SHOP = Object.values(SHOP).reduce((sum, count) => sum + count, 0);

export interface Ledgers {
  readonly orders: Ledger;
  readonly dashboard: Ledger;
  readonly chat: Ledger;
  readonly tracking: Ledger;
}

/** What the parts of one shop share. */
export interface ShopKit {
  /** Differs between shops and between runs. */
  readonly name: string;
  readonly vendorId: string;
  readonly target: URL;
  readonly counts: LineCounts;
  readonly caller: Caller;
  readonly serviceToken: string;
  sign(role: Role, sub: string, vendors?: readonly string[]): Promise<string>;
  /** The source address of one more connection. */
  nextAddress(): string | undefined;
}

export function socketUrl(target: URL, path: string): URL {
  const url = new URL(path, target);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}
