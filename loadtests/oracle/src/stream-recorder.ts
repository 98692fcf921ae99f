import type { ActivityEvent } from "@localstreet/contracts/dashboard";
import { parseEventId } from "@localstreet/contracts/event-id";
import type { ResumeEvent } from "@localstreet/contracts/vendor-events";
import { nowMs } from "./clock.ts";
import { activityKey, type Ledger, orderKey } from "./ledger.ts";
import { readLifeEvent } from "./order-life.ts";
import { ReplayCheck } from "./replay-check.ts";

/** An event as a stream brought it. `id` is its own, `null` when it has none. */
export interface HeardEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: string;
}

/** Writes to a ledger what one stream of a vendor brings, whoever reads that stream. */
export interface StreamRecorder {
  /** How many times it was opened. */
  readonly connections: number;
  hear(event: HeardEvent): void;
  /** What the client had heard under the same id, and did not show again. */
  hearAgain(event: HeardEvent): void;
  /** What is offered from now on is not owed to it. */
  leave(): void;
}

export function createStreamRecorder(options: {
  ledger: Ledger;
  /** Its name in the ledger, which no other stream has. */
  receiver: string;
  vendorId: string;
}): StreamRecorder {
  const { ledger, receiver, vendorId } = options;
  let connections = 0;
  let replay: ReplayCheck | undefined;
  ledger.admit(receiver, vendorId);

  function onResume({ status, from, to, replayed }: ResumeEvent): void {
    const range = { group: vendorId, from: sequenceOf(from), to: sequenceOf(to) };
    ledger.sawVerdict(receiver, status, range);
    if (status === "fresh" && connections > 0) ledger.broken(receiver, "resume forgot the id");
    const isCounted = status !== "fresh" && replayed !== null;
    replay = isCounted ? new ReplayCheck(replayed, range.to) : undefined;
    connections += 1;
    if (connections === 1) ledger.join(receiver, vendorId);
  }

  function onOrder({ id, data }: HeardEvent): void {
    const order = JSON.parse(data) as { vendorId: string; orderId: string };
    const key = orderKey(order.vendorId, order.orderId);
    ledger.receive(receiver, { key, id: id ?? undefined, group: order.vendorId, atMs: nowMs() });
  }

  function onActivity(activity: ActivityEvent): void {
    if (activity.kind !== "chat") return;
    const [clientMessageId = ""] = activity.text.split(" ", 1);
    const key = activityKey(clientMessageId);
    // It carries no id, so that of what nobody offered here nothing can be said.
    if (ledger.knows(key)) ledger.receive(receiver, { key, atMs: nowMs() });
    else ledger.dropped(receiver, "others' activity");
  }

  function checkReplay({ id }: HeardEvent): void {
    const wrong = id === null ? null : replay?.onEvent(sequenceOf(id));
    if (wrong) ledger.broken(receiver, wrong);
  }

  return {
    get connections() {
      return connections;
    },
    hear(event) {
      if (event.event === "resume") onResume(JSON.parse(event.data));
      else if (event.event === "activity") onActivity(JSON.parse(event.data));
      else if (event.event === "new-order") {
        checkReplay(event);
        onOrder(event);
      } else {
        const told = readLifeEvent(event.event, event.data, orderKey);
        if (!told) return;
        checkReplay(event);
        ledger.follow(receiver, { ...told, id: event.id ?? undefined, atMs: nowMs() });
      }
    },
    hearAgain(event) {
      checkReplay(event);
      ledger.dropped(receiver, "repeated");
    },
    leave: () => ledger.leave(receiver, vendorId),
  };
}

function sequenceOf(id: string | null): number {
  return id === null ? 0 : (parseEventId(id)?.sequence ?? 0);
}
