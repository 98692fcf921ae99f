import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import { readMetric } from "../replica-metrics.ts";
import { timeUntil } from "../wait.ts";

const KILLS = 10;
const BACK_MS = 10_000;

export const killReplica: Fault = {
  name: "kill-replica",
  harm: `kill -9 of one replica after the other, ${KILLS} times, of every service`,
  promise:
    "nothing acknowledged is lost, no duplicates, every conversation's seq contiguous; everyone reconnected within 10 s",
  async run({ platform, load, checkWithin, note, say }) {
    // One replica of each service, then the other one of each.
    const order = [...platform.replicas].sort((one, other) =>
      (one.name.at(-1) ?? "").localeCompare(other.name.at(-1) ?? ""),
    );
    let worstMs: number | null = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const replica = order[kill % order.length] as (typeof order)[number];
      const lostBefore = load.presence.lost;
      await replica.kill("SIGKILL");
      const backMs = await load.presence.timeUntilAllOpen(BACK_MS);
      const lost = load.presence.lost - lostBefore;
      say(`    ${replica.name} killed: ${lost} connections lost, all back after ${backMs} ms`);
      if (backMs === null) say(`    not back: ${load.presence.missing().join("; ")}`);
      worstMs = worstMs === null || backMs === null ? null : Math.max(worstMs, backMs);
      const isUp = async () => (await readMetric(replica, "process_cpu_seconds_total")) !== null;
      await timeUntil(isUp, 15_000, 100);
      await sleep(500);
    }
    checkWithin("everyone reconnected", worstMs, BACK_MS);
    const { lost, longestAwayMs } = load.presence;
    note(
      `${lost} connections lost in ${KILLS} kills, the longest away for ${longestAwayMs.toLocaleString("en")} ms`,
    );
  },
};
