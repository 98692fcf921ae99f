import { formatVerdict, type Verdict } from "@localstreet/oracle/judge";

/** One promise, measured. */
export interface Check {
  readonly what: string;
  readonly ok: boolean;
  readonly measured: string;
}

/**
 * `kept`: all that was promised was seen. `broken`: something was not. `absent`: the platform does not have yet what the
 * fault would harm. `failed`: the run itself went wrong and says nothing about the platform.
 */
export type Outcome = "kept" | "broken" | "absent" | "failed";

export interface FaultResult {
  readonly fault: string;
  readonly harm: string;
  readonly promise: string;
  readonly outcome: Outcome;
  /** Why it is `absent` or `failed`. */
  readonly reason: string | null;
  readonly checks: readonly Check[];
  /** Figures that nothing was promised about. */
  readonly notes: readonly string[];
  readonly verdicts: readonly Verdict[];
  readonly natsNodes: number;
  readonly size: number;
  readonly seconds: number;
  /** When it began, in UTC, and on which commit. */
  readonly at: string;
}

export function outcomeOf(checks: readonly Check[], verdicts: readonly Verdict[]): Outcome {
  const ok = checks.every((check) => check.ok) && verdicts.every((verdict) => verdict.ok);
  return ok ? "kept" : "broken";
}

/** One line: the outcome, what was not kept first, then the figures. */
export function formatResult(result: FaultResult): string {
  const head = `${result.outcome.toUpperCase().padEnd(6)} ${result.fault.padEnd(24)} ${result.seconds.toFixed(0).padStart(3)} s`;
  return `${head}  ${figuresOf(result)}`;
}

/** The table of all results, with where and when they were had. */
export function formatTable(results: readonly FaultResult[], facts: readonly string[]): string {
  const rows = results.map((result) => {
    const cells = [
      `\`${result.fault}\`${result.natsNodes === 1 ? "" : ` (${result.natsNodes} NATS nodes)`}`,
      result.harm,
      result.promise,
      result.outcome === "broken" ? "**broken**" : result.outcome,
      figuresOf(result),
      result.at,
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  });
  return [
    ...facts.map((fact) => `- ${fact}`),
    "",
    "| fault | what is done | what is promised | | what was seen | when |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

function figuresOf({ reason, checks, notes, verdicts }: FaultResult): string {
  const failed = checks.filter((check) => !check.ok);
  const kept = checks.filter((check) => check.ok);
  const wrong = verdicts.filter((verdict) => !verdict.ok);
  const right = verdicts.filter((verdict) => verdict.ok);
  return [
    ...(reason === null ? [] : [reason]),
    ...failed.map((check) => `NOT ${check.what}: ${check.measured}`),
    ...wrong.map((verdict) => formatVerdict(verdict).replace(/\s+/g, " ")),
    ...kept.map((check) => `${check.what}: ${check.measured}`),
    ...right.map(summaryOf),
    ...notes,
  ].join("; ");
}

function inMs(ms: number): string {
  return `${Math.round(ms).toLocaleString("en")} ms`;
}

/** A path on which nothing went wrong, in a few words. */
function summaryOf(verdict: Verdict): string {
  const { path, acknowledged, offered, delivered, owed, refused, latencyMs } = verdict;
  const { events, eventDeliveries } = verdict;
  const isOwed = path !== "tracking";
  const parts = [
    `${acknowledged} of ${offered} acknowledged`,
    ...(refused > 0 ? [`${refused} refused`] : []),
    isOwed ? `${delivered} of ${owed} delivered` : `${delivered} shown`,
    ...(events > 0 ? [`${events} later events of them ${eventDeliveries} times`] : []),
    ...(latencyMs ? [`p99 ${inMs(latencyMs.p99)}, max ${inMs(latencyMs.max)}`] : []),
  ];
  return `${path} ${parts.join(", ")}`;
}
