import type { ActivityEvent } from "@localstreet/contracts/dashboard";
import { parseEventId } from "@localstreet/contracts/event-id";
import type { ResumeEvent } from "@localstreet/contracts/vendor-events";
import { nowMs } from "@localstreet/oracle/clock";
import { activityKey, type Ledger, orderKey } from "@localstreet/oracle/ledger";
import { readLifeEvent } from "@localstreet/oracle/order-life";
import type { HeardEvent } from "./artillery.ts";

/** Writes to a ledger what one stream of a vendor brings, whoever reads that stream. */
export interface StreamRecorder {
  hear(event: HeardEvent): void;
  hearAgain(): void;
  leave(): void;
}

export function createStreamRecorder(options: {
  ledger: Ledger;
  /** Its name in the ledger, which no other stream has. */
  receiver: string;
  vendorId: string;
}): StreamRecorder {
  const { ledger, receiver, vendorId } = options;
  let hasBegun = false;
  ledger.admit(receiver, vendorId);

  function onResume({ status, from, to }: ResumeEvent): void {
    const range = { group: vendorId, from: sequenceOf(from), to: sequenceOf(to) };
    ledger.sawVerdict(receiver, status, range);
    if (status === "fresh" && hasBegun) ledger.broken(receiver, "resume forgot the id");
    if (!hasBegun) ledger.join(receiver, vendorId);
    hasBegun = true;
  }

  return {
    hear({ event, id, data }) {
      const atMs = nowMs();
      if (event === "resume") onResume(JSON.parse(data));
      else if (event === "new-order") {
        const order = JSON.parse(data) as { vendorId: string; orderId: string };
        const key = orderKey(order.vendorId, order.orderId);
        const group = order.vendorId;
        ledger.receive(receiver, { key, id: id ?? undefined, group, atMs });
      } else if (event === "activity") {
        const activity = JSON.parse(data) as ActivityEvent;
        if (activity.kind !== "chat") return;
        const [clientMessageId = ""] = activity.text.split(" ", 1);
        ledger.receive(receiver, { key: activityKey(clientMessageId), atMs });
      } else {
        const told = readLifeEvent(event, data, orderKey);
        if (told) ledger.follow(receiver, { ...told, id: id ?? undefined, atMs });
      }
    },
    hearAgain: () => ledger.dropped(receiver, "repeated"),
    leave: () => ledger.leave(receiver, vendorId),
  };
}

function sequenceOf(id: string | null): number {
  return id === null ? 0 : (parseEventId(id)?.sequence ?? 0);
}
