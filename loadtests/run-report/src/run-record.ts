import { FAULTS, type Fault, type Verdict } from "@localstreet/oracle/judge";
import type { TimelineRecord } from "./timeline.ts";

/** All that is known of one run: written as `run.json`, shown as `run.html`. */
export interface RunRecord {
  readonly scenario: string;
  readonly description: string;
  /** The platform's address. */
  readonly target: string;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** As in `200 visitors`. */
  readonly size: string;
  readonly verdicts: readonly Verdict[];
  /** What went wrong besides, in a line each. */
  readonly faults: readonly string[];
  readonly timeline: TimelineRecord;
  /** What the load itself took of this machine's processors, 0 to 1. Absent: not measured. */
  readonly generatorShare?: number;
}

/** Whether nothing at all went wrong. A run in which nothing was acknowledged has shown nothing. */
export function isClean(run: Pick<RunRecord, "verdicts" | "faults">): boolean {
  const { faults, verdicts } = run;
  return faults.length === 0 && verdicts.length > 0 && verdicts.every(isGood);
}

function isGood({ ok, acknowledged }: Verdict): boolean {
  return ok && acknowledged > 0;
}

/** The whole run in one sentence. */
export function summarise(run: RunRecord): string {
  const broken = run.verdicts.filter(({ ok }) => !ok);
  if (broken.length > 0) {
    return broken.map((each) => `${each.path}: ${complaintsOf(each).join(", ")}`).join("; ");
  }
  const silent = run.verdicts.filter((verdict) => !isGood(verdict)).map(({ path }) => path);
  if (silent.length > 0)
    return `Nothing was acknowledged, and so nothing shown: ${silent.join(", ")}.`;
  const delivered = run.verdicts.reduce((sum, verdict) => sum + verdict.delivered, 0);
  const what = `${delivered.toLocaleString("en")} deliveries, each where it belongs`;
  const { length } = run.faults;
  if (run.verdicts.length === 0 && length === 0) return "There is no verdict.";
  if (length === 0) return `Nothing was lost: ${what}.`;
  const first = run.faults[0] as string;
  const faults = length === 1 ? first : `${first}, and ${length - 1} more`;
  return run.verdicts.length === 0 ? faults : `${faults}. Nothing was lost: ${what}.`;
}

/** What a verdict holds against the platform, as in `3 lost`. */
export function complaintsOf(verdict: Verdict): string[] {
  return FAULTS.flatMap((fault) => {
    const count = verdict[fault];
    return count ? [`${count.toLocaleString("en")} ${inWords(fault)}`] : [];
  });
}

function inWords(fault: Fault): string {
  return fault.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
