import type { Verdict } from "@localstreet/oracle/judge";
import type { TimelineRecord } from "@localstreet/run-report/timeline";
import type { SourcePlan } from "./limits.ts";

/** What a worker of the generator has to do. */
export interface WorkerPlan {
  readonly target: string;
  readonly secret: string;
  readonly issuer: string | undefined;
  /** Differs between runs and workers. */
  readonly name: string;
  readonly sources: SourcePlan;
  /** Connections that it opens in a second. */
  readonly opensPerSecond: number;
  /** One thing happens on each path of a shop in so many milliseconds. */
  readonly intervalMs: number;
  readonly settleMs: number;
}

export type ToWorker =
  | { readonly type: "open"; readonly plan: WorkerPlan }
  | { readonly type: "work" }
  | { readonly type: "finish" };

export type FromWorker =
  | { readonly type: "ready" }
  | {
      readonly type: "count";
      readonly open: number;
      readonly cut: number;
      readonly failures: Readonly<Record<string, number>>;
    }
  | { readonly type: "opened" }
  | {
      readonly type: "finished";
      readonly verdicts: readonly Verdict[];
      /** What could not be asked. */
      readonly faults: readonly string[];
      readonly timeline: TimelineRecord;
      /** Processor time of the whole worker, in milliseconds. */
      readonly cpuMs: number;
    }
  | { readonly type: "failed"; readonly message: string };
