import type { ConnectionState } from "@localstreet/client/connection-state";
import { openBackend } from "@localstreet/oracle/backend";
import { openChatPerson } from "@localstreet/oracle/chat-person";
import { openCourier } from "@localstreet/oracle/courier";
import type { Ledger } from "@localstreet/oracle/ledger";
import { requestPersistently } from "@localstreet/oracle/persistent-request";
import { createStreamRecorder, type StreamRecorder } from "@localstreet/oracle/stream-recorder";
import type { Identity } from "@localstreet/oracle/target";
import { openWatcher } from "@localstreet/oracle/watcher";
import type { HeardEvent, Metrics, VisitContext } from "./artillery.ts";
import { type Citizen, citizenOf, connectionCounter, moveOut, settleIn } from "./citizens.ts";
import { doEvery } from "./do-every.ts";
import { openStreet, type Street } from "./street.ts";

/** Göteborg, Brunnsparken; a step is about ten metres. */
const START = { lat: 57.7072, lng: 11.9668 };
const STEP_DEGREES = 0.0001;
/** For a delivery to be put. */
const GIVE_UP_MS = 15_000;
const DESTINATION = { lat: 57.70455, lng: 11.96955 };

/** First step of all but the special ones. */
export async function enter(context: VisitContext, metrics: Metrics): Promise<void> {
  await settleIn(context, openStreet(String(context.vars.target), metrics));
}

/** `onEvent` of a stream of orders, or of a dashboard's when its name begins with `dashboard`. */
export function hearStream(
  event: HeardEvent,
  context: VisitContext,
  _metrics: Metrics,
  name: string,
): void {
  recorderOf(citizenOf(context), name).hear(event);
}

export function hearAgain(
  event: HeardEvent,
  context: VisitContext,
  _metrics: Metrics,
  name: string,
): void {
  recorderOf(citizenOf(context), name).hearAgain(event);
}

const counters = new WeakMap<StreamRecorder, (state: ConnectionState) => void>();

/** `onState` of a stream. */
export function countStream(
  state: ConnectionState,
  context: VisitContext,
  _metrics: Metrics,
  name: string,
): void {
  const citizen = citizenOf(context);
  const recorder = recorderOf(citizen, name);
  const count = counters.get(recorder) ?? connectionCounter(citizen.street);
  counters.set(recorder, count);
  count(state);
}

/** Orders for the visitor's shop, owed to the streams that it has opened. */
export async function expectOrders(context: VisitContext): Promise<void> {
  const { street, vendorId, buyerId, recorders, acts } = citizenOf(context);
  const ledgers = [...new Set([...recorders.keys()].map((name) => ledgerOf(street, name)))];
  const backend = openBackend({ target: street.target, ledgers });
  acts.push((untilMs) =>
    doEvery(street.settings.intervalMs, untilMs, () => backend.postOrder({ vendorId, buyerId })),
  );
}

/** The buyer on two devices and the shop's staff on one: they speak in turn. */
export async function openChat(context: VisitContext): Promise<void> {
  const citizen = citizenOf(context);
  const { street, vendorId, buyerId, staffId, acts } = citizen;
  const buyer: Identity = { role: "buyer", sub: buyerId };
  const staff: Identity = { role: "vendor", sub: staffId, vendors: [vendorId] };
  const hasDashboard = [...citizen.recorders.keys()].some(isDashboard);
  const open = (identity: Identity, device: string) => {
    const person = openChatPerson({
      target: street.target,
      ledger: street.ledgers.chat,
      ...(hasDashboard ? { dashboard: street.ledgers.dashboard } : {}),
      receiver: `${identity.sub} ${device}`,
      identity,
      onState: connectionCounter(street),
    });
    citizen.clients.add(person);
    return person;
  };
  const [phone, clerk] = [open(buyer, "phone"), open(staff, "till")];
  await Promise.all([phone, clerk, open(buyer, "laptop")].map((person) => person.opened()));
  const sides = { buyerId, vendorId };
  let said = 0;
  acts.push((untilMs) =>
    doEvery(street.settings.intervalMs, untilMs, async () => {
      said += 1;
      await (said % 2 === 1 ? phone : clerk).say(sides);
    }),
  );
}

/** A courier on the way, watched by the buyer on two devices and by the shop. */
export async function openDelivery(context: VisitContext): Promise<void> {
  const citizen = citizenOf(context);
  const { street, vendorId, buyerId, staffId, driverId, deliveryId, acts } = citizen;
  const { target } = street;
  const ledger = street.ledgers.tracking;
  const putDelivery = (status: "picked_up" | "delivered") =>
    requestPersistently(
      target,
      {
        method: "PUT",
        path: `/api/deliveries/${deliveryId}`,
        as: { role: "service", sub: "load-backend" },
        body: {
          driverId,
          buyerId,
          vendorId,
          orderId: `${deliveryId}-order`,
          destination: DESTINATION,
          status,
        },
      },
      { giveUpMs: GIVE_UP_MS },
    );
  const created = await putDelivery("picked_up");
  if (created.kind !== "done") throw new Error(`a new delivery was refused: ${created.code}`);
  // Nothing depends on it: the verdict is out by then.
  citizen.clients.add({ close: () => void putDelivery("delivered") });
  const watch = async (identity: Identity, device: string) => {
    const watcher = openWatcher({
      target,
      ledger,
      receiver: `${identity.sub} ${device}`,
      identity,
      deliveryId,
      onState: connectionCounter(street),
    });
    citizen.clients.add(watcher);
    await watcher.opened();
  };
  await Promise.all([
    watch({ role: "buyer", sub: buyerId }, "phone map"),
    watch({ role: "buyer", sub: buyerId }, "laptop map"),
    watch({ role: "vendor", sub: staffId, vendors: [vendorId] }, "till map"),
  ]);
  const courier = openCourier({ target, ledger, driverId, deliveryIds: [deliveryId] });
  let steps = 0;
  acts.push((untilMs) =>
    doEvery(street.settings.intervalMs, untilMs, async () => {
      steps += 1;
      await courier.report({ ...START, lat: START.lat + (steps % 1_000) * STEP_DEGREES });
    }),
  );
}

/** Everything that the visitor has set out to do, at the same time. */
export async function beBusy(context: VisitContext): Promise<void> {
  const { street, acts } = citizenOf(context);
  const untilMs = performance.now() + street.settings.busyMs;
  await Promise.all(acts.map((act) => act(untilMs)));
}

export async function awaitVerdict(context: VisitContext): Promise<void> {
  await citizenOf(context).street.everyoneIsDone(context);
}

/** After everything, also after a step that failed. */
export async function leave(context: VisitContext, metrics: Metrics): Promise<void> {
  openStreet(String(context.vars.target), metrics).leave(context);
  moveOut(context);
}

function recorderOf(citizen: Citizen, name: string): StreamRecorder {
  const { recorders, street, staffId, vendorId } = citizen;
  const known = recorders.get(name);
  if (known) return known;
  const recorder = createStreamRecorder({
    ledger: ledgerOf(street, name),
    receiver: `${staffId} ${name}`,
    vendorId,
  });
  recorders.set(name, recorder);
  return recorder;
}

function isDashboard(stream: string): boolean {
  return stream.startsWith("dashboard");
}

function ledgerOf({ ledgers }: Street, stream: string): Ledger {
  return isDashboard(stream) ? ledgers.dashboard : ledgers.orders;
}
