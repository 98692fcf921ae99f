import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Platform, startPlatform } from "@localstreet/local/platform";
import type { Verdict } from "@localstreet/oracle/judge";
import { openTarget } from "@localstreet/oracle/target";
import type { Fault } from "./fault.ts";
import { type FaultResult, outcomeOf } from "./fault-result.ts";
import { type Load, type LoadShape, startLoad, usualLoad } from "./load.ts";
import { createNetwork } from "./network.ts";
import { createStage, type Findings } from "./stage.ts";
import { timeUntil } from "./wait.ts";

export interface RunFaultOptions {
  /** Of this run alone; removed by the caller. */
  readonly dataDir: string;
  readonly natsNodes: 1 | 3;
  readonly size: number;
  /** When and of what, for the table. */
  readonly at: string;
  readonly say: (line: string) => void;
}

const WARM_UP_ORDERS = 30;
const WARM_UP_MS = 30_000;
/** The load goes on for so long after the recovery, so that what comes late is seen to be late. */
const AFTERMATH_MS = 2_000;
const RECONNECTED_MS = 60_000;

/** Starts a platform, puts load on it, does the harm and judges. Never throws, and leaves no process. */
export async function runFault(fault: Fault, options: RunFaultOptions): Promise<FaultResult> {
  const { dataDir, size, at, say } = options;
  const natsNodes = Math.max(options.natsNodes, fault.natsNodes ?? 1) === 3 ? 3 : 1;
  const startedAtMs = performance.now();
  const findings: Findings = { checks: [], notes: [], absentBecause: null };
  let verdicts: readonly Verdict[] = [];
  let failure: string | null = null;
  let platform: Platform | undefined;
  let load: Load | undefined;
  const network = createNetwork();
  try {
    rmSync(dataDir, { recursive: true, force: true });
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const secret = randomBytes(32).toString("base64url");
    platform = await startPlatform({
      dataDir,
      durable: fault.durable ?? false,
      natsNodes,
      routeStore: network.routeStore,
      log: (line) => say(`    ${line}`),
      env: {
        PATH: process.env.PATH,
        AUTH_JWT_SECRET: secret,
        GATEWAY_CONNECTIONS_PER_ADDRESS: "20000",
        // What a fault leaves half open still counts, and the same people come back many times.
        CONNECTIONS_PER_USER: "20000",
        OPENINGS_PER_SECOND: "20000",
        OPENINGS_BURST: "20000",
        REQUESTS_PER_SECOND: "20000",
        REQUESTS_BURST: "20000",
        GATEWAY_REQUESTS_PER_ADDRESS: "100000",
        ...fault.env,
      },
    });
    const url = await network.routeClients(platform.url);
    const shape = fault.load ?? usualLoad(size);
    const targetAt = (address: string) => openTarget({ url: address, secret });
    load = await startLoad(targetAt(url), shape);
    await warmUp(load, shape);
    const parts = { platform, network, load, url, targetAt, size, dataDir, say };
    const stage = createStage(parts, findings);
    await fault.run(stage);
    network.heal();
    if (findings.absentBecause === null) {
      const backMs = await load.presence.timeUntilAllOpen(RECONNECTED_MS);
      if (backMs === null) {
        const { open, wanted } = load.presence;
        stage.check("everyone is connected in the end", false, `${open} of ${wanted}`);
      }
      load.resume();
      await sleep(AFTERMATH_MS);
      verdicts = await load.finish();
    }
  } catch (error) {
    failure = (error as Error).message;
    say(`    ${(error as Error).stack}`);
  } finally {
    load?.close();
    await platform?.stop();
    await network.close();
  }
  const { checks, notes, absentBecause } = findings;
  return {
    fault: fault.name,
    harm: fault.harm,
    promise: fault.promise,
    outcome:
      failure !== null ? "failed" : absentBecause !== null ? "absent" : outcomeOf(checks, verdicts),
    reason: failure ?? absentBecause,
    checks,
    notes,
    verdicts,
    natsNodes,
    size,
    at,
    seconds: (performance.now() - startedAtMs) / 1_000,
  };
}

/** Until all paths flow. @throws when they do not: a platform that does not work unharmed shows nothing. */
async function warmUp(load: Load, shape: LoadShape): Promise<void> {
  const { acknowledged, ledgers } = load;
  const ordersFlow = () => shape.vendors === 0 || acknowledged.orders >= WARM_UP_ORDERS;
  const othersFlow = () =>
    acknowledged.chat >= 10 &&
    acknowledged.tracking >= load.deliveryIds.length * 2 &&
    ledgers.tracking.receiveMs.percentiles() !== null;
  const flows = () => ordersFlow() && (!shape.hasAllPaths || othersFlow());
  if ((await timeUntil(flows, WARM_UP_MS)) === null) {
    throw new Error(`the load does not flow unharmed: ${JSON.stringify(acknowledged)}`);
  }
}
