import type { Platform } from "@localstreet/local/platform";
import type { ServiceName } from "@localstreet/local/services";
import type { Target } from "@localstreet/oracle/target";
import type { Check } from "./fault-result.ts";
import type { Load } from "./load.ts";
import type { Network } from "./network.ts";
import { readMetric } from "./replica-metrics.ts";
import { inSeconds, timeUntil } from "./wait.ts";

/** What a fault works on: a platform under load, and where it says what it saw. */
export interface Stage {
  readonly platform: Platform;
  readonly network: Network;
  readonly load: Load;
  /** Where clients find the gateway: through `network.clients`. */
  readonly url: string;
  /** The platform as it is reached at another address: past the gateway, straight to a replica. */
  targetAt(url: string): Target;
  /** How many times the usual load runs. */
  readonly size: number;
  readonly dataDir: string;
  /** Tells the one who looks on. */
  say(line: string): void;
  /** A promise: whether it was kept, and the figure that says so. */
  check(what: string, ok: boolean, measured: string): void;
  /** A promise of time. `ms` is `null` when what was awaited did not come within `limitMs`. */
  checkWithin(what: string, ms: number | null, limitMs: number): void;
  /**
   * Watches the paths from now on. The function that it returns checks that most of what was sent since was acknowledged:
   * what is still on its way is less than that.
   */
  watch(...paths: ("orders" | "chat" | "tracking")[]): () => void;
  /** A figure that nothing was promised about. */
  note(figure: string): void;
  /** The platform lacks what the fault would harm. */
  absent(why: string): void;
  /** The replicas of one service. */
  replicasOf(service: ServiceName): Platform["replicas"];
}

export interface Findings {
  readonly checks: Check[];
  readonly notes: string[];
  absentBecause: string | null;
}

const GOING_ON = 0.8;

export function createStage(
  parts: Pick<
    Stage,
    "platform" | "network" | "load" | "url" | "targetAt" | "size" | "dataDir" | "say"
  >,
  findings: Findings,
): Stage {
  const check: Stage["check"] = (what, ok, measured) => {
    findings.checks.push({ what, ok, measured });
    parts.say(`  ${ok ? "kept" : "NOT "}  ${what}: ${measured}`);
  };
  return {
    ...parts,
    check,
    checkWithin(what, ms, limitMs) {
      const limit = `${limitMs / 1_000} s`;
      check(`${what} within ${limit}`, ms !== null && ms <= limitMs, inSeconds(ms, limitMs));
    },
    watch(...paths) {
      const { load } = parts;
      const before = { begun: { ...load.begun }, acknowledged: { ...load.acknowledged } };
      return () => {
        for (const path of paths) {
          const begun = load.begun[path] - before.begun[path];
          const acknowledged = load.acknowledged[path] - before.acknowledged[path];
          const isGoingOn = acknowledged >= begun * GOING_ON;
          check(`${path} go on`, isGoingOn, `${acknowledged} of ${begun} acknowledged meanwhile`);
        }
      };
    },
    note(figure) {
      findings.notes.push(figure);
      parts.say(`        ${figure}`);
    },
    absent(why) {
      findings.absentBecause = why;
    },
    replicasOf: (service) =>
      parts.platform.replicas.filter((replica) => replica.service === service),
  };
}

/** How long it takes until every replica says that it has the bus again, or `null` after `timeoutMs`. */
export async function timeUntilBusIsBack(
  replicas: Platform["replicas"],
  timeoutMs: number,
): Promise<number | null> {
  return await timeUntil(async () => {
    const values = await Promise.all(
      replicas.map((replica) => readMetric(replica, "localstreet_bus_connected")),
    );
    return values.every((value) => value === null || value === 1);
  }, timeoutMs);
}
