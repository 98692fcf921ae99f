import type { OrderId, VendorId } from "@localstreet/contracts/ids";
import type { OrderDeadlines } from "./order-due.ts";
import type { LoggedEvent } from "./order-life.ts";
import type { OrderRow } from "./order-row.ts";

/** How far the log is projected. */
export interface ProjectionPosition {
  /** Of the log; empty before the first. */
  readonly epoch: string;
  /** Counts the logs that were read: one that was made anew, or went back, is another from there on. */
  readonly history: number;
  readonly sequence: number;
  /** `Nats-Msg-Id` of the event at `sequence`. */
  readonly messageId: string | null;
}

/** An event that had been projected: a log that went back is read again from the newest one that it still holds. */
export interface Checkpoint {
  readonly sequence: number;
  readonly messageId: string;
}

/** An event that is kept as the log held it, for a version that understands it (PROTOCOL.md S44). */
export interface KeptEvent {
  /** By its subject. */
  readonly vendorId: VendorId;
  /** By its `Nats-Msg-Id`, where an order's id stands third: it may be something else in an event of a newer version. */
  readonly orderId: string;
  readonly sequence: number;
  readonly messageId: string;
  readonly kind: string;
  /** By the clock of the log. */
  readonly storedAt: Date;
  readonly data: Uint8Array;
}

/** An event that is not understood here, and why. */
export interface UnreadEvent extends KeptEvent {
  readonly reason: string;
}

/** What the log holds, for the projection. */
export type LogEntry = LoggedEvent | UnreadEvent;

export function isUnread(entry: LogEntry): entry is UnreadEvent {
  return "reason" in entry;
}

/** A kept event in its place: `reason` is `null` for one that was understood and came behind one that was not. */
export interface SetAsideEvent extends KeptEvent {
  readonly history: number;
  readonly reason: string | null;
}

/** An order with events that were not understood: from the first of them on, all of its events are kept. */
export interface SetAsideOrder {
  readonly vendorId: VendorId;
  readonly orderId: string;
  /** Its row as it was before the first of the events; `null` when there was none. */
  readonly base: OrderRow | null;
  /** In the order in which the log told them. */
  readonly events: readonly SetAsideEvent[];
}

/** A place among the events that were set aside. */
export interface SetAsideCursor {
  readonly history: number;
  readonly sequence: number;
}

export interface EventBatch {
  readonly holder: string;
  readonly leaseMs: number;
  /** Where the projection stands, by what this replica knows. */
  readonly from: ProjectionPosition;
  /** Ascending by sequence, all above `from`. */
  readonly events: readonly LogEntry[];
  /** Where the projection stands afterwards: past the last event, or past foreign ones after it. */
  readonly to: { readonly sequence: number; readonly messageId: string | null };
  /** The time up to which the log is projected then; `null` while it lags. */
  readonly throughAt: Date | null;
  readonly deadlines: OrderDeadlines;
  /** Take the place of those before, where they changed. */
  readonly checkpoints?: readonly Checkpoint[] | undefined;
}

export type BatchOutcome =
  | {
      readonly status: "applied";
      readonly position: ProjectionPosition;
      /** By the clock of the store, before it was done. */
      readonly at: Date;
      /** Events that the store cannot hold: they are set aside. */
      readonly refused: readonly UnreadEvent[];
    }
  /** Another replica has taken over, and nothing was stored. */
  | { readonly status: "fenced" };

/** An order of which more is understood than before. */
export interface RetoldOrder extends SetAsideOrder {
  /** One for each of its events: as it is understood now, or `null`. */
  readonly understood: readonly (LoggedEvent | null)[];
}

export interface Lease {
  readonly holder: string;
  readonly leaseMs: number;
}

/**
 * Where the projection of the orders is kept: its lease, its position, its rows and what it could not read. All methods
 * throw `DatabaseUnavailableError`; whether a change was made then, the position tells.
 */
export interface ProjectionStore {
  /** Takes or renews the lease, by the clock of the store. `null` while another replica holds it. */
  lease(lease: Lease): Promise<{ readonly position: ProjectionPosition; readonly at: Date } | null>;
  /** Lets another replica take over at once. */
  release(holder: string): Promise<void>;
  /**
   * Applies the events in the order of the log, sets aside those that are not understood, moves the projection and renews
   * the lease: all of it or nothing. No event stops the projection.
   */
  apply(batch: EventBatch): Promise<BatchOutcome>;
  /** The newest first. */
  checkpoints(): Promise<readonly Checkpoint[]>;
  /**
   * Goes back to a checkpoint, or to the beginning, of a log that is another from there on. Orders that are there stay, and
   * what the log tells of them from there on is applied to them. `null` when the lease is lost.
   */
  rewind(to: {
    readonly holder: string;
    readonly epoch: string;
    readonly checkpoint: Checkpoint | null;
  }): Promise<ProjectionPosition | null>;
  /** How many events are not understood. */
  countSetAside(): Promise<number>;
  /**
   * The orders of up to `limit` events that are not understood and come after the cursor. `next` goes on behind them, and is
   * `null` after the last.
   */
  setAside(
    after: SetAsideCursor,
    limit: number,
  ): Promise<{ readonly orders: readonly SetAsideOrder[]; readonly next: SetAsideCursor | null }>;
  /** Gives the orders the rows that their events make of them now. Events are kept until all of an order are understood. */
  retell(
    change: Lease & {
      readonly from: ProjectionPosition;
      readonly orders: readonly RetoldOrder[];
      readonly deadlines: OrderDeadlines;
    },
  ): Promise<"retold" | "fenced">;
}

/** What a store and a batch name an order by. */
export function orderKey({
  vendorId,
  orderId,
}: {
  readonly vendorId: VendorId;
  readonly orderId: OrderId | string;
}): string {
  return `${vendorId} ${orderId}`;
}
