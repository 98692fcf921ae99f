/** The part of Artillery's report that decides. */
export interface Report {
  readonly aggregate: {
    readonly counters: Readonly<Record<string, number>>;
    readonly summaries?: Readonly<Record<string, { p95: number }>>;
  };
}

export interface Verdict {
  /** What happened on each path, in a line each. */
  readonly paths: readonly string[];
  /** What went wrong, in a line each. Nothing when all is well. */
  readonly faults: readonly string[];
}

/** Paths by the name of their counters, `smoke.<path>.sent` and `smoke.<path>.arrived`. */
const PATHS = ["orders", "messages", "fixes"] as const;

/** Reads a report of the smoke test. Nothing sent is a fault as well: a test in which nothing happened has shown nothing. */
export function judgeSmoke(report: Report): Verdict {
  const { counters, summaries = {} } = report.aggregate;
  const count = (name: string) => counters[name] ?? 0;
  const faults = Object.entries(counters)
    .filter(([name]) => name.startsWith("errors."))
    .map(
      ([name, times]) => `${name.slice("errors.".length)}${times > 1 ? ` (${times} times)` : ""}`,
    );
  const paths: string[] = [];
  for (const path of PATHS) {
    const sent = count(`smoke.${path}.sent`);
    const arrived = count(`smoke.${path}.arrived`);
    const p95 = summaries[`smoke.${path}.ms`]?.p95;
    paths.push(
      `${path.padEnd(9)} ${sent} sent, ${arrived} arrived${p95 === undefined ? "" : `, 95% within ${p95} ms`}`,
    );
    if (sent === 0) faults.push(`no ${path} were sent at all`);
    else if (arrived !== sent) faults.push(`${sent - arrived} of ${sent} ${path} did not arrive`);
  }
  const activity = count("smoke.activity.arrived");
  const messages = count("smoke.messages.sent");
  paths.push(`dashboard ${activity} of ${messages} messages, and every order`);
  if (activity !== messages) faults.push(`${messages - activity} messages missed the dashboard`);
  const visits = count("vusers.created");
  const whole = count("smoke.visits.whole");
  if (visits === 0 || whole !== visits) faults.push(`${whole} of ${visits} visits went through`);
  return { paths, faults };
}
