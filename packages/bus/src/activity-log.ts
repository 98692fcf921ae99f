import { type StoredActivity, storedActivitySchema } from "@localstreet/contracts/dashboard";
import { type EventKey, idToken, type VendorId } from "@localstreet/contracts/ids";
import {
  ACTIVITY_STREAM,
  activitySubject,
  liveActivitySubject,
} from "@localstreet/contracts/subjects";
import type { Bus } from "./connection.ts";
import { publishToStream } from "./jetstream-requests.ts";
import { readDirect, readFromLeader } from "./stream-reads.ts";
import { createTurns } from "./turns.ts";

/** A line of activity, and its place in the log. */
export interface LoggedActivity {
  readonly sequence: number;
  readonly activity: StoredActivity;
}

/** The newest lines of activity of every vendor: `activityLinesPerVendor` of `ensureStreams`. */
export interface ActivityLog {
  /**
   * Stores a line; it is durable when this returns.
   *
   * @throws {BusUnavailableError} when it is not known to be stored.
   */
  publish(
    vendorId: VendorId,
    activity: StoredActivity,
    /** The same id again, within two minutes, stores nothing. */
    activityId?: EventKey | undefined,
  ): Promise<"stored" | "duplicate">;
  /** Lines from now on, at most once. */
  follow(vendorId: VendorId, onLine: (line: LoggedActivity) => void): { unsubscribe(): void };
  /**
   * All lines that are kept of a vendor, oldest first.
   *
   * @throws {BusUnavailableError}
   */
  read(vendorId: VendorId): Promise<LoggedActivity[]>;
}

/** Vendors whose lines are read at the same time. */
const READS_AT_ONCE = 8;

export function openActivityLog(bus: Bus): ActivityLog {
  const inTurn = createTurns(READS_AT_ONCE);

  async function readAll(vendorId: VendorId): Promise<LoggedActivity[]> {
    const subject = activitySubject(vendorId);
    const newest = await readFromLeader(bus, ACTIVITY_STREAM, { last_by_subj: subject });
    const lines: LoggedActivity[] = [];
    // A follower that lags ends it early: the live copies of what is so new are on their way.
    for (let sequence = 1; newest && sequence <= newest.sequence; ) {
      const query = { seq: sequence, next_by_subj: subject };
      const stored = await readDirect(bus, ACTIVITY_STREAM, query);
      if (!stored) break;
      const activity = parseActivity(stored.data);
      if (activity) lines.push({ sequence: stored.sequence, activity });
      sequence = stored.sequence + 1;
    }
    return lines;
  }

  return {
    async publish(vendorId, activity, activityId) {
      const subject = activitySubject(vendorId);
      const messageId = activityId && `${idToken(vendorId)}:activity:${idToken(activityId)}`;
      const headers = messageId ? { "Nats-Msg-Id": messageId } : {};
      const body = JSON.stringify(activity);
      const { isDuplicate } = await publishToStream(bus, subject, body, headers);
      return isDuplicate ? "duplicate" : "stored";
    },
    follow: (vendorId, onLine) =>
      bus.subscribe(liveActivitySubject(vendorId), (message) => {
        const activity = parseActivity(message.data);
        const sequence = Number(message.header("Nats-Sequence"));
        if (activity && Number.isSafeInteger(sequence)) onLine({ sequence, activity });
      }),
    read: (vendorId) => inTurn(() => readAll(vendorId)),
  };
}

/** `null` for what is no line of activity: something else wrote it. */
function parseActivity(data: Uint8Array): StoredActivity | null {
  try {
    return storedActivitySchema.parse(JSON.parse(new TextDecoder().decode(data)));
  } catch {
    return null;
  }
}
