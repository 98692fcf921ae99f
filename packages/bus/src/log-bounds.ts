import { type Bus, BusUnavailableError } from "./connection.ts";
import { epochOf } from "./epoch.ts";
import { readStreamInfo } from "./stream-reads.ts";

export interface LogBounds {
  readonly epoch: string;
  /** Of the oldest event that is kept; `lastSequence + 1` when there is none. */
  readonly firstSequence: number;
  /** Of the newest event that was ever stored. */
  readonly lastSequence: number;
  /** The sequences between the two whose events were deleted one by one, ascending. */
  readonly deleted: readonly number[];
}

/** From the leader. @throws {BusUnavailableError} */
export async function readBounds(bus: Bus, stream: string): Promise<LogBounds> {
  let info = await readStreamInfo(bus, stream);
  // Single deletes are rare: most answers need no list of them.
  if (info.state.num_deleted) {
    info = await readStreamInfo(bus, stream, { deleted_details: true });
  }
  const epoch = epochOf(info.config.description);
  if (!epoch) throw new BusUnavailableError(`stream ${stream} has no epoch yet`);
  const { first_seq, last_seq, deleted } = info.state;
  return {
    epoch,
    firstSequence: first_seq,
    lastSequence: last_seq,
    deleted: deleted ?? [],
  };
}

/** Whether an event that was stored behind `sequence`, up to `untilSequence`, is gone: expired, purged or deleted. */
export function isGone(
  { firstSequence, deleted }: LogBounds,
  sequence: number,
  untilSequence = Number.POSITIVE_INFINITY,
): boolean {
  if (firstSequence > sequence + 1 && untilSequence > sequence) return true;
  return deleted.some((gone) => gone > sequence && gone <= untilSequence);
}
