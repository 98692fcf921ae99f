import type { Arrivals } from "./arrivals.ts";
import type { HttpResponse, VisitContext } from "./artillery.ts";
import type { HeardEvent, OpenedSocket, Visitor } from "./visitor.ts";

/** What one visit knows from step to step. */
export interface Visit {
  readonly visitor: Visitor;
  readonly orders: Arrivals<HeardEvent>;
  readonly dashboard: Arrivals<HeardEvent>;
  readonly acceptedOrders: { orderId: string; id: string; sentAtMs: number }[];
  /** When the request under way was sent. */
  sentAtMs: number;
  watch: OpenedSocket | undefined;
}

const visits = new Map<unknown, Visit>();

export function beginVisit(context: VisitContext, visit: Visit): void {
  const { visitor } = visit;
  visits.set(visitor.vendorId, visit);
  Object.assign(context.vars, {
    vendorId: visitor.vendorId,
    driverId: visitor.driverId,
    deliveryId: visitor.deliveryId,
    serviceToken: visitor.tokens.service,
    driverToken: visitor.tokens.driver,
  });
}

/** Runs one step of a visit; where it fails, the visit is over. */
export async function duringVisit(
  context: VisitContext,
  run: (visit: Visit) => Promise<void> | void,
): Promise<void> {
  const visit = visits.get(context.vars.vendorId);
  if (!visit) throw new Error("a step before the visit began");
  try {
    await run(visit);
  } catch (error) {
    endVisit(visit);
    throw error;
  }
}

export function endVisit({ visitor }: Visit): void {
  visitor.leave();
  visits.delete(visitor.vendorId);
}

/** @throws with `what` and the answer when its status is another one. */
export function requireStatus(response: HttpResponse, status: number, what: string): void {
  if (response.statusCode === status) return;
  const body = String(response.body ?? "").slice(0, 200);
  throw new Error(`${what} was answered ${response.statusCode} instead of ${status}: ${body}`);
}
