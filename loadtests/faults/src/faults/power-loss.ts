import { setTimeout as sleep } from "node:timers/promises";
import { openPool } from "@localstreet/db/pool";
import { DATABASE } from "@localstreet/local/local-stores";
import type { Fault } from "../fault.ts";
import type { Stage } from "../stage.ts";

const BACK_MS = 30_000;

export const powerLoss: Fault = {
  name: "power-loss",
  harm: "kill -9 of everything at once: stores, services, gateway; then start again",
  promise: "what was acknowledged survives; Postgres commits synchronously",
  durable: true,
  async run(stage) {
    const { platform, load, check, checkWithin, note } = stage;
    const settings = await readSettings(stage);
    const isDurable = settings.synchronous_commit === "on" && settings.fsync === "on";
    check("Postgres commits synchronously", isDurable, JSON.stringify(settings));
    const { natsNodes, redis, postgres } = platform.stores;
    const stores = [...natsNodes, redis, postgres];
    const everything = [platform.gateway, ...platform.replicas, ...stores];
    for (const { name } of everything) platform.hold(name);
    await Promise.all(everything.map((server) => server.kill("SIGKILL")));
    await sleep(2_000);
    await Promise.all(stores.map((store) => store.start()));
    await Promise.all(platform.replicas.map((replica) => replica.start()));
    await platform.gateway.start();
    for (const { name } of everything) platform.release(name);
    checkWithin("everyone is back", await load.presence.timeUntilAllOpen(BACK_MS), BACK_MS);
    note(
      "the death of all processes, not of the machine: nats-server before 2.10 writes to disk at once and syncs only now and then, so the machine's death may cost what it acknowledged last",
    );
  },
};

async function readSettings({ platform }: Stage): Promise<Record<string, string>> {
  const pool = openPool({ url: platform.stores.postgres.url("admin", DATABASE), max: 1 });
  try {
    const { rows } = await pool.query<{ name: string; setting: string }>(
      "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit')",
    );
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  } finally {
    await pool.end();
  }
}
