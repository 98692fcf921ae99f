import { invalidRequest } from "@localstreet/contracts/problem";
import { opsEscalatedSubject } from "@localstreet/contracts/subjects";
import {
  type Escalation,
  escalationSchema,
  vendorEventMessageId,
} from "@localstreet/contracts/vendor-events";
import type { Bus } from "./connection.ts";
import { publishToStream } from "./jetstream-requests.ts";

/**
 * Stores an escalation for the operators, under the `Nats-Msg-Id` of its event in the vendor's log: once for each order,
 * within the stream's window of duplicates.
 *
 * @throws {Problem} `invalid-request` when it does not match its schema.
 * @throws {BusUnavailableError} when it is not known to be stored; publishing the same again is safe.
 */
export async function publishEscalation(
  bus: Bus,
  escalation: Escalation,
): Promise<{ status: "stored" | "duplicate" }> {
  const checked = escalationSchema.safeParse(escalation);
  if (!checked.success) throw invalidRequest(checked.error, "The escalation");
  const { eventId, ...data } = checked.data;
  const { vendorId } = data;
  const messageId = vendorEventMessageId({ vendorId, kind: "order-escalated", data });
  const { isDuplicate } = await publishToStream(
    bus,
    opsEscalatedSubject(vendorId),
    JSON.stringify({ ...data, eventId }),
    { "Nats-Msg-Id": messageId },
  );
  return { status: isDuplicate ? "duplicate" : "stored" };
}
