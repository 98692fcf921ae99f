import { writeFileSync } from "node:fs";
import { FAULTS, judge, type Verdict } from "@localstreet/oracle/judge";
import type { Path } from "@localstreet/oracle/ledger";
import { settle } from "@localstreet/oracle/settle";
import { readStored } from "@localstreet/oracle/stored";
import { openTarget, type Target } from "@localstreet/oracle/target";
import { TimedLedger } from "@localstreet/run-report/timed-ledger";
import {
  createTimeline,
  type Timeline,
  type TimelineRecord,
} from "@localstreet/run-report/timeline";
import type { Metrics } from "./artillery.ts";
import { createBarrier } from "./barrier.ts";
import { type RunSettings, readRunSettings } from "./run-settings.ts";

/** What the visitors leave behind for the command. */
export interface StreetResult {
  readonly verdicts: readonly Verdict[];
  readonly timeline: TimelineRecord;
}

/** What all visitors of a run share: the ledgers, and the moments at which they wait for each other. */
export interface Street {
  readonly settings: RunSettings;
  readonly target: Target;
  readonly timeline: Timeline;
  readonly ledgers: Readonly<Record<Path, TimedLedger>>;
  /** Differs between runs. */
  readonly name: string;
  readonly vendorIds: Set<string>;
  /** Connections that stand. */
  connected(change: 1 | -1): void;
  openConnections(): number;
  /** Resolves when every visitor has come so far, or has left. */
  everyoneIsHere(visitor: object): Promise<void>;
  /** Resolves when every visitor has done its part, everything had time to arrive, and the verdict is out. */
  everyoneIsDone(visitor: object): Promise<void>;
  /** Nobody waits for this visitor any more. */
  leave(visitor: object): void;
}

const PATHS: readonly Path[] = ["orders", "chat", "tracking", "dashboard"];
const SETTLE_MS = 15_000;
const SAMPLE_MS = 1_000;

let street: Street | undefined;

/** The one street of this run. Artillery runs all visitors in one thread, so that they may share it. */
export function openStreet(targetUrl: string, metrics: Metrics): Street {
  street ??= createStreet(targetUrl, metrics);
  return street;
}

function createStreet(url: string, metrics: Metrics): Street {
  const settings = readRunSettings(process.env);
  const { secret, issuer, visitors } = settings;
  const target = openTarget({ url, secret, ...(issuer === undefined ? {} : { issuer }) });
  const timeline = createTimeline();
  const onLatency = (path: Path, latencyMs: number) =>
    metrics.emit("histogram", `oracle.${path}.ms`, latencyMs);
  const ledgerOf = (path: Path) => new TimedLedger(path, timeline, onLatency);
  const ledgers = {
    orders: ledgerOf("orders"),
    chat: ledgerOf("chat"),
    tracking: ledgerOf("tracking"),
    dashboard: ledgerOf("dashboard"),
  };
  const vendorIds = new Set<string>();
  const here = createBarrier(visitors);
  const done = createBarrier(visitors);
  let open = 0;
  let verdict: Promise<void> | undefined;
  const sampler = setInterval(() => {
    timeline.connections(Date.now(), open);
    // The command was killed without a word, so nobody would end this.
    if (process.ppid !== settings.commandPid) process.kill(process.pid, "SIGKILL");
  }, SAMPLE_MS);

  async function conclude(): Promise<void> {
    await settle(Object.values(ledgers), { timeoutMs: SETTLE_MS });
    clearInterval(sampler);
    const used = PATHS.map((path) => ledgers[path]).filter(({ entries }) => entries.size > 0);
    for (const ledger of used) {
      if (ledger.path !== "orders" && ledger.path !== "chat") continue;
      // Without this, what is stored stays unsaid; it is no reason to say nothing.
      await readStored(ledger, { target, vendorIds: [...vendorIds] }).catch((error: Error) => {
        ledger.isStoredKnown = false;
        metrics.emit("counter", `errors.what is stored could not be read: ${error.message}`, 1);
      });
    }
    const verdicts = used.map((ledger) => judge(ledger));
    const result: StreetResult = { verdicts, timeline: timeline.record() };
    writeFileSync(settings.resultFile, JSON.stringify(result));
    for (const each of verdicts) emitVerdict(metrics, each);
    metrics.emit("counter", "oracle.judged", 1);
  }

  return {
    settings,
    target,
    timeline,
    ledgers,
    name: `load-${Date.now().toString(36)}`,
    vendorIds,
    connected(change) {
      open += change;
    },
    openConnections: () => open,
    async everyoneIsHere(visitor) {
      here.pass(visitor);
      await here.complete;
    },
    async everyoneIsDone(visitor) {
      done.pass(visitor);
      await done.complete;
      verdict ??= conclude();
      await verdict;
    },
    leave(visitor) {
      here.pass(visitor);
      done.pass(visitor);
    },
  };
}

function emitVerdict(metrics: Metrics, verdict: Verdict): void {
  const count = (row: string, value: number | null) =>
    metrics.emit("counter", `oracle.${verdict.path}.${row}`, value ?? 0);
  count("offered", verdict.offered);
  count("acknowledged", verdict.acknowledged);
  count("delivered", verdict.delivered);
  count("refused", verdict.refused);
  for (const fault of FAULTS) {
    count(fault, verdict[fault]);
    metrics.emit("counter", "oracle.faults", verdict[fault] ?? 0);
  }
}
