import type { LogPage } from "@localstreet/bus/log-reader";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import type { LoggedEvent } from "@localstreet/db/order-projection";
import { parseStoredEvent } from "../stored-event.ts";

/** An event of the log with its data checked. `foreign`: of no kind that is known here. */
export function parseLoggedEvent(
  stored: LogPage["events"][number],
): LoggedEvent | "foreign" | "malformed" {
  const event = parseStoredEvent(stored);
  if (event === "foreign" || event === "malformed") return event;
  const { vendorId } = event.data;
  // Whoever may publish at all may publish of any vendor, but not of one under another's subject.
  if (stored.subject !== vendorOrdersSubject(vendorId)) return "malformed";
  const { sequence, messageId, storedAt } = stored;
  return { ...event, vendorId, sequence, messageId, storedAt };
}
