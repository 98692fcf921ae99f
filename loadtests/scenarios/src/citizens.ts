import type { ConnectionState } from "@localstreet/client/connection-state";
import type { StreamRecorder } from "@localstreet/oracle/stream-recorder";
import type { VisitContext } from "./artillery.ts";
import type { Street } from "./street.ts";

/** One visitor of a scenario: a shop, its buyer and its courier, and what belongs to them. */
export interface Citizen {
  readonly street: Street;
  readonly vendorId: string;
  readonly buyerId: string;
  readonly staffId: string;
  readonly driverId: string;
  readonly deliveryId: string;
  /** Streams by their name. */
  readonly recorders: Map<string, StreamRecorder>;
  /** Closed when the visitor leaves. */
  readonly clients: Set<{ close(): void }>;
  /** What the visitor has set out to do until the verdict. */
  readonly acts: ((untilMs: number) => Promise<void>)[];
}

const citizens = new WeakMap<object, Citizen>();
let count = 0;

/** The visitor becomes a citizen of `street`, with ids of its own unless `vendorId` is given. */
export async function settleIn(
  context: VisitContext,
  street: Street,
  vendorId?: string,
): Promise<Citizen> {
  count += 1;
  const name = `${street.name}-${count}`;
  const citizen: Citizen = {
    street,
    vendorId: vendorId ?? `${name}-shop`,
    buyerId: `${name}-buyer`,
    staffId: `${name}-staff`,
    driverId: `${name}-driver`,
    deliveryId: `${name}-delivery`,
    recorders: new Map(),
    clients: new Set(),
    acts: [],
  };
  citizens.set(context, citizen);
  street.vendorIds.add(citizen.vendorId);
  const { target } = street;
  Object.assign(context.vars, {
    platform: target.url,
    vendorId: citizen.vendorId,
    staffToken: await target.tokenFor({
      role: "vendor",
      sub: citizen.staffId,
      vendors: [citizen.vendorId],
    }),
  });
  return citizen;
}

export function citizenOf(context: VisitContext): Citizen {
  const citizen = citizens.get(context);
  if (!citizen) throw new Error("a step before the visitor entered");
  return citizen;
}

/** Ends all that belongs to the visitor, if it ever settled. */
export function moveOut(context: VisitContext): void {
  const citizen = citizens.get(context);
  for (const recorder of citizen?.recorders.values() ?? []) recorder.leave();
  for (const client of citizen?.clients ?? []) client.close();
}

/** Lets the street know how many connections stand, for one connection. */
export function connectionCounter(street: Street): (state: ConnectionState) => void {
  let isOpen = false;
  return ({ phase }) => {
    if ((phase === "open") === isOpen) return;
    isOpen = !isOpen;
    street.connected(isOpen ? 1 : -1);
  };
}
