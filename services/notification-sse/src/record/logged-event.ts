import type { LogPage } from "@localstreet/bus/log-reader";
import { vendorIdSchema } from "@localstreet/contracts/ids";
import type { LogEntry } from "@localstreet/db/projection-store";
import { parseStoredEvent } from "../stored-event.ts";

type Stored = LogPage["events"][number];

/** An event of the log as the projection takes it; `null` for what this platform did not write. */
export type ReadLogEntry = (stored: Stored) => LogEntry | null;

/** Longer names are none of an order's, and none of anything that a newer version would tell. */
const MAX_NAME_LENGTH = 512;

export function parseLoggedEvent(stored: Stored): LogEntry | null {
  const { kind, sequence, messageId, storedAt, data } = stored;
  const vendor = vendorIdSchema.safeParse(stored.subject.split(".")[1]);
  const orderId = messageId.split(":", 3)[2];
  const isOurs = kind !== null && vendor.success && orderId && isName(messageId);
  if (!isOurs) return null;
  const vendorId = vendor.data;
  const event = parseStoredEvent(stored);
  const place = { vendorId, sequence, messageId, storedAt };
  // Whoever may publish at all may publish of any vendor, but not of one under another's subject.
  if (event.kind !== null && event.data.vendorId === vendorId) return { ...event, ...place };
  const reason = event.kind === null ? event.reason : "it is another vendor's";
  return { ...place, kind, orderId, data, reason };
}

/** Postgres holds no NUL in a text. */
function isName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && !text.includes("\0");
}
