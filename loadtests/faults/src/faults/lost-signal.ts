import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import { freshId, makeOrder, postOrder } from "../marketplace.ts";
import type { Stage } from "../stage.ts";
import { openStreamProbe, type StreamProbe } from "../stream-probe.ts";
import { timeUntil } from "../wait.ts";

const PROBES = 10;
const AT_WORST_MS = 12_000;
const AFTER_RECONNECT_MS = 2_000;

export const lostSignal: Fault = {
  name: "lost-last-signal",
  harm: "the live copies of the last order of a vendor and of the last message are lost on the way from NATS, and nothing follows them",
  promise: "the order is delivered within 12 s, the message within 2 s",
  async run(stage) {
    const { network, load, checkWithin } = stage;
    load.pause();
    await load.timeUntilSettled(10_000);
    const probes = await openProbes(stage);
    network.loseSignals((subject) => /^live\.(vendor|chat)\./.test(subject));
    checkWithin("the last order is delivered", await deliver(stage, probes), AT_WORST_MS);
    checkWithin("the last message is delivered", await deliverMessages(stage), AFTER_RECONNECT_MS);
    leaveAll(probes);
  },
};

export const lostSignalReconnect: Fault = {
  name: "lost-last-signal-reconnect",
  harm: "a replica is cut off from NATS while the last orders of its vendors come, and connects again",
  promise: "they are delivered within 2 s of the reconnect",
  async run(stage) {
    const { network, load, platform, checkWithin } = stage;
    load.pause();
    await load.timeUntilSettled(10_000);
    const probes = await openProbes(stage);
    const [cutOff, other] = stage.replicasOf("notification-sse");
    const ways = network.between(cutOff?.name ?? "", "nats");
    for (const way of ways) way.cut();
    // Past the gateway: the order must be stored by the one that still has the bus.
    const orders = probes.map((probe) => ({ probe, orderId: freshId("order") }));
    for (const { probe, orderId } of orders) {
      await postOrder(platform, other?.url ?? "", probe.vendorId, makeOrder(orderId));
    }
    await sleep(1_000);
    const early = orders.filter(({ probe, orderId }) => probe.has(orderId)).length;
    const accepted = ways.reduce((sum, way) => sum + way.acceptedCount, 0);
    for (const way of ways) way.heal();
    // It tries again by itself; the promise counts from there.
    const isBack = () => ways.reduce((sum, way) => sum + way.acceptedCount, 0) > accepted;
    await timeUntil(isBack, 10_000, 5);
    const all = () => orders.every(({ probe, orderId }) => probe.has(orderId));
    const ms = await timeUntil(all, AT_WORST_MS);
    checkWithin("the last orders are delivered", ms, AFTER_RECONNECT_MS);
    stage.note(`${PROBES - early} of ${PROBES} vendors were on the replica that was cut off`);
    leaveAll(probes);
  },
};

async function openProbes({ platform, url }: Stage): Promise<StreamProbe[]> {
  const probes = await Promise.all(
    Array.from({ length: PROBES }, () => openStreamProbe(platform, url, freshId("vendor"))),
  );
  const open = () => probes.every((probe) => probe.isOpen);
  if ((await timeUntil(open, 10_000)) === null) throw new Error("the probes do not get in");
  return probes;
}

function leaveAll(probes: readonly StreamProbe[]): void {
  for (const probe of probes) probe.leave();
}

/** One order for each vendor. How long until the last of them is delivered. */
async function deliver({ platform, url }: Stage, probes: readonly StreamProbe[]) {
  const orders = probes.map((probe) => ({ probe, orderId: freshId("order") }));
  await Promise.all(
    orders.map(({ probe, orderId }) =>
      postOrder(platform, url, probe.vendorId, makeOrder(orderId)),
    ),
  );
  return await timeUntil(
    () => orders.every(({ probe, orderId }) => probe.has(orderId)),
    AT_WORST_MS * 2,
  );
}

/** One message in each conversation, over HTTP. How long until everybody who must have them has them. */
async function deliverMessages({ load }: Stage): Promise<number | null> {
  const said = load.sayOnce();
  await said;
  return await load.timeUntilSettled(AT_WORST_MS);
}
