import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import { BACKEND, freshId, makeOrder, request } from "../marketplace.ts";
import { timeUntilBusIsBack } from "../stage.ts";
import { timeUntil } from "../wait.ts";

const FROZEN_MS = 20_000;
/** The bus gives a request 5 s, and the gateway the service 30 s. */
const ANSWER_MS = 8_000;
const BACK_MS = 10_000;

export const natsFrozen: Fault = {
  name: "nats-frozen",
  harm: `SIGSTOP of NATS, all nodes of it, for ${FROZEN_MS / 1_000} s: connections stay open, nothing is answered`,
  promise: "nothing acknowledged is lost; every wait has a timeout, so every order is answered",
  async run({ platform, load, url, check, checkWithin }) {
    for (const node of platform.stores.natsNodes) node.freeze();
    await sleep(1_000);
    const before = load.acknowledged.orders;
    const order = makeOrder(freshId("order"));
    const path = `/api/vendor/${freshId("vendor")}/orders`;
    const askedAtMs = performance.now();
    const answer = await request(platform, BACKEND, "POST", url + path, order).catch(() => null);
    checkWithin(
      "an order is answered",
      answer && Math.round(performance.now() - askedAtMs),
      ANSWER_MS,
    );
    check("its answer is 503", answer?.status === 503, String(answer?.status));
    await sleep(Math.max(0, FROZEN_MS - 1_000 - (performance.now() - askedAtMs)));
    check(
      "nothing is acknowledged meanwhile",
      load.acknowledged.orders === before,
      `${load.acknowledged.orders - before} orders`,
    );
    for (const node of platform.stores.natsNodes) node.thaw();
    const thawed = load.acknowledged.orders;
    const [busMs, ordersMs] = await Promise.all([
      timeUntilBusIsBack(platform.replicas, BACK_MS),
      timeUntil(() => load.acknowledged.orders > thawed, BACK_MS),
    ]);
    checkWithin("every replica has the bus again", busMs, BACK_MS);
    checkWithin("orders are accepted again", ordersMs, BACK_MS);
  },
};
