import { setTimeout as sleep } from "node:timers/promises";
import { startTcpProxy, type TcpProxy } from "@localstreet/faults/tcp-proxy";
import { openBackend } from "@localstreet/oracle/backend";
import type { Metrics, VisitContext } from "./artillery.ts";
import { citizenOf, settleIn } from "./citizens.ts";
import { openStreet } from "./street.ts";

let cable: Promise<TcpProxy> | undefined;
let storm: Promise<void> | undefined;

/** First step of the storm: all of the visitor's connections run through one cable, which can be cut. */
export async function enterByCable(context: VisitContext, metrics: Metrics): Promise<void> {
  const { hostname, port, protocol } = new URL(String(context.vars.target));
  if (protocol !== "http:") throw new Error("the storm needs a target without TLS");
  cable ??= startTcpProxy({ target: { host: hostname, port: Number(port || 80) } });
  const { port: cablePort } = await cable;
  await settleIn(context, openStreet(`http://127.0.0.1:${cablePort}`, metrics));
}

/** In the middle of the time that all are busy, every connection of all visitors is reset at once. */
export async function expectStorm(context: VisitContext, metrics: Metrics): Promise<void> {
  const { street, acts } = citizenOf(context);
  await street.everyoneIsHere(context);
  acts.push(() => {
    storm ??= breakEverything();
    return storm;
  });

  async function breakEverything(): Promise<void> {
    const proxy = await cable;
    if (!proxy) return;
    await sleep(street.settings.busyMs / 2);
    const before = street.openConnections();
    street.timeline.mark(Date.now(), `${proxy.openCount} connections reset at once`);
    const cutAtMs = performance.now();
    proxy.reset();
    metrics.emit("counter", "storm.connections", before);
    await sleep(0);
    // The clients notice within a turn or two; then they are counted until all are back.
    while (performance.now() - cutAtMs < BACK_MS) {
      await sleep(50);
      if (performance.now() - cutAtMs > NOTICED_MS && street.openConnections() >= before) break;
    }
    const backMs = performance.now() - cutAtMs;
    const missing = before - street.openConnections();
    metrics.emit("counter", "storm.missing", Math.max(0, missing));
    metrics.emit("histogram", "storm.back_ms", backMs);
    const seconds = (backMs / 1_000).toFixed(1);
    street.timeline.mark(
      Date.now(),
      missing > 0 ? `${missing} not back after ${seconds} s` : `all back after ${seconds} s`,
    );
  }
}

/** A minute is twice what is promised. */
const BACK_MS = 60_000;
const NOTICED_MS = 200;

/** First step of the flash sale: one shop for all. */
export async function enterSale(context: VisitContext, metrics: Metrics): Promise<void> {
  const street = openStreet(String(context.vars.target), metrics);
  await settleIn(context, street, `${street.name}-sale`);
}

let isAnnounced = false;

/** Once everybody stands at the shop, all of them order in the same second. */
export async function expectSale(context: VisitContext): Promise<void> {
  const { street, vendorId, buyerId, acts } = citizenOf(context);
  const backend = openBackend({ target: street.target, ledgers: [street.ledgers.orders] });
  await street.everyoneIsHere(context);
  if (!isAnnounced) street.timeline.mark(Date.now(), "the sale begins");
  isAnnounced = true;
  acts.push(async (untilMs) => {
    while (performance.now() < untilMs) {
      await backend.postOrder({ vendorId, buyerId });
      await sleep(street.settings.intervalMs);
    }
  });
}
