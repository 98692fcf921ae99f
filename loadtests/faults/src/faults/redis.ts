import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import { BACKEND, request } from "../marketplace.ts";
import { sendToRedis } from "../redis-command.ts";
import type { Stage } from "../stage.ts";
import { timeUntil } from "../wait.ts";

const DOWN_MS = 20_000;
/** A courier reports once a second; the rest is for the reconnect to Redis. */
const FRESH_MS = 3_000;
/** PROTOCOL.md T9. */
const STALE_MS = 15_000;

export const redisKilled: Fault = {
  name: "redis-killed",
  harm: `kill -9 of Redis, ${DOWN_MS / 1_000} s of silence, start, empty`,
  promise:
    "ingest and connections go on, orders and chat as before; nobody is told that an old position is live; positions are fresh again after one reporting interval",
  async run(stage) {
    const { platform, load, check } = stage;
    const { redis } = platform.stores;
    const lost = load.presence.lost;
    const checkGoingOn = stage.watch("orders", "chat", "tracking");
    platform.hold("redis");
    await redis.kill("SIGKILL");
    await sleep(DOWN_MS - 2_000);
    const told = await driverStates(stage);
    await sleep(2_000);
    const isHonest = told.every(({ status, state, fixAgeMs }) => {
      return status >= 500 || state !== "live" || fixAgeMs < STALE_MS;
    });
    const words = told.map(({ status, state }) => state ?? `a ${status}`);
    check("old positions are not called live", isHonest, [...new Set(words)].join(", "));
    checkGoingOn();
    check("no connection is lost", load.presence.lost === lost, `${load.presence.lost - lost}`);
    await redis.start();
    platform.release("redis");
    await checkFresh(stage);
  },
};

export const redisFlushed: Fault = {
  name: "redis-flushed",
  harm: "FLUSHALL",
  promise: "positions are fresh again after one reporting interval; nothing else is noticed",
  async run(stage) {
    const { platform, load, check } = stage;
    const lost = load.presence.lost;
    await sendToRedis(platform.stores.redis.url("admin"), "FLUSHALL");
    await checkFresh(stage);
    check("no connection is lost", load.presence.lost === lost, `${load.presence.lost - lost}`);
  },
};

/** Every delivery of the load shows a fix that was taken from now on. */
async function checkFresh(stage: Stage): Promise<void> {
  const sinceMs = Date.now();
  const isFresh = async () => {
    const states = await driverStates(stage);
    return states.every(({ fixAtMs }) => fixAtMs >= sinceMs);
  };
  stage.checkWithin(
    "every position is fresh",
    await timeUntil(isFresh, FRESH_MS * 4, 100),
    FRESH_MS,
  );
}

async function driverStates({ platform, load, url }: Stage) {
  return await Promise.all(
    load.deliveryIds.map(async (deliveryId) => {
      const path = `/api/deliveries/${deliveryId}`;
      const { status, body } = await request(platform, BACKEND, "GET", url + path);
      const driver = body.driver as { state?: string; fixAt?: string } | undefined;
      const fixAtMs = driver?.fixAt ? Date.parse(driver.fixAt) : 0;
      return { status, state: driver?.state ?? null, fixAtMs, fixAgeMs: Date.now() - fixAtMs };
    }),
  );
}
