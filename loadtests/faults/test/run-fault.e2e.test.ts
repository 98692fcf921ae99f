import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { purgeStream } from "@localstreet/bus/stream-administration";
import { isAlive } from "@localstreet/stores/processes";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openAdminBus } from "../src/admin-bus.ts";
import type { Fault } from "../src/fault.ts";
import { runFault } from "../src/run-fault.ts";
import { timeUntil } from "../src/wait.ts";

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "localstreet-chaos-"));
});

afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true });
});

const about = { harm: "…", promise: "…" };

async function run(fault: Fault) {
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  return await runFault(fault, { dataDir, natsNodes: 1, size: 1, at: "now", say });
}

test("a platform that is cut off from its clients for a moment keeps its promises, and nothing of it is left", async () => {
  const pids: number[] = [];
  const result = await run({
    ...about,
    name: "cut",
    async run({ platform, network, load, checkWithin }) {
      const { nats, redis, postgres } = platform.stores;
      pids.push(...[nats, redis, postgres, ...platform.replicas].map(({ pid }) => pid));
      network.clients.reset();
      checkWithin("all are back", await load.presence.timeUntilAllOpen(20_000), 20_000);
    },
  });
  expect(result).toMatchObject({ outcome: "kept", reason: null });
  const owed = result.verdicts.map(({ path, acknowledged }) => [path, acknowledged > 0]);
  expect(Object.fromEntries(owed)).toEqual({
    orders: true,
    dashboard: true,
    chat: true,
    tracking: true,
  });
  expect(pids.filter(isAlive)).toEqual([]);
});

test("acknowledged orders that are taken out of the log are told as a broken promise", async () => {
  const result = await run({
    ...about,
    name: "purge",
    async run({ platform, load }) {
      const bus = await openAdminBus(platform);
      await purgeStream(bus, "VENDOR");
      await bus.close();
      // What is in their memory they would go on to tell.
      const holders = platform.replicas.filter(({ service }) => service === "notification-sse");
      await Promise.all(holders.map((replica) => replica.kill("SIGKILL")));
      const before = load.acknowledged.orders;
      await timeUntil(() => load.acknowledged.orders > before, 5_000);
    },
  });
  expect(result.outcome).toBe("broken");
  const orders = result.verdicts.find(({ path }) => path === "orders");
  expect(orders?.acknowledgedNotStored).toBeGreaterThan(0);
});
