import type { Bus } from "@localstreet/bus/connection";
import { publishEscalation } from "@localstreet/bus/publish-escalation";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import type { SubjectLog } from "@localstreet/bus/subject-log";
import type { VendorId } from "@localstreet/contracts/ids";
import {
  type FiredOrder,
  fireDueOrders,
  type ProjectedUntil,
} from "@localstreet/db/order-deadlines";
import { type OrderDeadlines, whatIsDue } from "@localstreet/db/order-due";
import type { EscalationReason, OrderRow } from "@localstreet/db/order-row";
import type { Pool } from "@localstreet/db/pool";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter } from "prom-client";
import type { NotificationConfig } from "../config.ts";
import { inTime } from "../in-time.ts";
import { parseStoredEvent } from "../stored-event.ts";
import { createExpiries, type Expiries } from "./expiries.ts";
import { startRepeatedTask } from "./repeated-task.ts";

/** How long publishing for one round of orders may take: Postgres gives a transaction that idles up soon after. */
const FIRE_MS = 4_000;

/**
 * Once a second, takes the orders that are due and publishes their reminders, escalations and expiries (PROTOCOL.md S31 to
 * S34). Every replica does, each with other orders.
 *
 * @param options.devices how many devices of a vendor are open; `null` when it is not known.
 */
export function startOrderDeadlines(
  { config, logger, metrics }: ServiceKit<NotificationConfig>,
  options: {
    bus: Bus;
    pool: Pool;
    log: Pick<SubjectLog, "bounds" | "head" | "pages">;
    deadlines: OrderDeadlines;
    devices: (vendorId: VendorId) => Promise<number | null>;
  },
): { stop(): Promise<void> } {
  const { bus, pool, log, deadlines, devices } = options;
  const limit = config.ORDER_DUE_AT_ONCE;
  const fired = new Counter({
    name: "localstreet_order_deadlines_total",
    help: "Reminders, escalations and expiries published; answered: an answer was stored before the expiry",
    labelNames: ["event"],
    registers: [metrics],
  });

  return startRepeatedTask({
    what: "the deadlines of orders",
    everyMs: config.ORDER_TICK_MS,
    logger,
    async run({ signal }) {
      // Without the bus nothing can be published; what is due stays due.
      while (!signal.aborted && bus.isConnected()) {
        const { taken, leftDue } = await fireDueOrders(pool, { limit, deadlines, fire: fireAll });
        if (taken < limit || leftDue > 0) return;
      }
    },
  });

  async function fireAll(
    orders: readonly OrderRow[],
    until: ProjectedUntil,
  ): Promise<(FiredOrder | null)[]> {
    const expiries = createExpiries({ bus, log, until });
    const outcomes: (FiredOrder | null)[] = orders.map(() => null);
    const firing = orders.map(async (order, index) => {
      outcomes[index] = await fireGuarded(order, until.at, expiries);
    });
    await inTime(
      FIRE_MS,
      Promise.all(firing).then(() => {}),
      undefined,
    );
    // Those that are not done yet stay due, and their ids remove what comes twice.
    return [...outcomes];
  }

  async function fireGuarded(
    order: OrderRow,
    at: Date,
    expiries: Expiries,
  ): Promise<FiredOrder | null> {
    try {
      return await fireOrder(order, at, expiries);
    } catch (error) {
      if ((error as { retryable?: boolean }).retryable) return null;
      const { vendorId, orderId } = order;
      logger.error({ err: error, vendorId, orderId }, "a deadline could not be published");
      // It must not stand in the way of the others at every round.
      return { status: "ended" };
    }
  }

  async function fireOrder(
    order: OrderRow,
    at: Date,
    expiries: Expiries,
  ): Promise<FiredOrder | null> {
    const { attended, opsTold, reminders } = order;
    const due = whatIsDue(order, deadlines, at);
    if (!due) return { status: "rang", reminders, escalated: false, attended, opsTold };
    if (due.kind === "expire") {
      const outcome = await expiries.expire(order, about(order, at));
      if (outcome === "not-now") return null;
      fired.inc({ event: outcome });
      return { status: "ended" };
    }

    if (due.reminder !== null) await remind(order, due.reminder, at);
    const open = due.look === "no" ? null : await devices(order.vendorId);
    const isUnheard = due.look === "last" && open === 0;
    const escalates = due.escalate || isUnheard;
    if (escalates) await escalate(order, due.escalate ? "unanswered" : "nobody-connected", at);
    else if (due.tellOps) await escalate(order, order.escalationReason ?? "unanswered", at);
    return {
      status: "rang",
      reminders: due.reminder ?? reminders,
      escalated: escalates,
      // Who cannot tell at the last look escalates nobody early.
      attended: attended || (open ?? 0) > 0 || (due.look === "last" && open === null),
      opsTold: opsTold || escalates || due.tellOps,
    };
  }

  /** What every event about an order says. The time is that of a store, as for all deadlines. */
  function about({ orderId, vendorId, placedAt }: OrderRow, at: Date) {
    return { orderId, vendorId, placedAt: placedAt.toISOString(), at: at.toISOString() };
  }

  async function remind(order: OrderRow, reminder: number, at: Date): Promise<void> {
    const { vendorId, total, currency } = order;
    const data = { ...about(order, at), reminder, total, currency };
    await publishVendorEvent(bus, { vendorId, kind: "order-reminder", data });
    fired.inc({ event: "reminder" });
  }

  async function escalate(order: OrderRow, reason: EscalationReason, at: Date): Promise<void> {
    const { vendorId } = order;
    const data = { ...about(order, at), reason };
    const published = await publishVendorEvent(bus, { vendorId, kind: "order-escalated", data });
    // Escalated for another reason before: the operators are told what the vendor was told.
    const stored = published.status === "conflict" ? parseStoredEvent(published.winner) : null;
    const told = stored?.kind === "order-escalated" ? stored.data : data;
    await publishEscalation(bus, { ...told, eventId: published.id });
    fired.inc({ event: "escalated" });
  }
}
