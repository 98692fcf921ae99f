import type { LogPage } from "@localstreet/bus/log-reader";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { type VendorEventKind, vendorEventSchemas } from "@localstreet/contracts/vendor-events";
import type { LoggedEvent } from "@localstreet/db/order-projection";

/** An event of the log with its data checked. `foreign`: of no kind that is known here. */
export function parseLoggedEvent(
  stored: LogPage["events"][number],
): LoggedEvent | "foreign" | "malformed" {
  const { kind, sequence, messageId, storedAt } = stored;
  if (kind === null || !Object.hasOwn(vendorEventSchemas, kind)) return "foreign";
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(stored.data).toString());
  } catch {
    return "malformed";
  }
  const checked = vendorEventSchemas[kind as VendorEventKind].safeParse(value);
  if (!checked.success) return "malformed";
  const { vendorId } = checked.data;
  // Whoever may publish at all may publish of any vendor, but not of one under another's subject.
  if (stored.subject !== vendorOrdersSubject(vendorId)) return "malformed";
  return { vendorId, kind, data: checked.data, sequence, messageId, storedAt } as LoggedEvent;
}
