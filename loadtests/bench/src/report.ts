import { cpus, platform, release, totalmem } from "node:os";
import type { Column, Target } from "./benchmark.ts";
import { figureOf, type JudgedTarget, judgeTargets } from "./judge-targets.ts";
import type { BenchmarkResult } from "./run-benchmark.ts";
import { pairRatios, type Summary, summarize } from "./statistics.ts";

/** A generator that takes more of the machine than this is part of the result. */
const GENERATOR_SHARE_MAX = 0.6;

export interface RunConditions {
  readonly at: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly versions: Readonly<Record<string, string>>;
}

const WHO_IS_COMPARED = `Started on the same machine by the same command, each in processes of its own:

- **limit**: the kernel's own, a C++ epoll server that sends one prepared frame with one \`write\` for each subscriber.
- **floor**: the least that plain Node does, a bare \`node:http\` or \`ws\` server that encodes a frame once and writes the same
  buffer to each. No authentication, no bus, no bounds, no resume. **floor+nats** is the same behind a NATS subscription.
- **nchan**: nginx with the nchan module, the fastest that one takes off the shelf.
- **article**: what is usually written. Express, Redis publish and subscribe, \`res.write\` for each client, Socket.IO 4 with the
  Redis adapter, one \`INSERT\` for each message; two replicas.
- **platform**: the services as they are deployed, one replica, with real stores; **platform+gateway** through nginx.

The load comes from a process of its own over bare sockets, which counts every message, and finds what is lost, comes
twice or out of order. A server's cost is the CPU time of its processes, user and system; a store's stands beside it.
Memory is PSS. "Platform is" compares the platform with that row by the table's first figure.
`;

/** One document for all results of a run. */
export function formatReport(
  results: readonly BenchmarkResult[],
  conditions: RunConditions,
): string {
  const parts = [
    "# Benchmarks\n",
    `${conditions.at}, ${describeMachine()}, ${describeVersions(conditions.versions)}. ` +
      `${conditions.rounds} interleaved rounds of ${conditions.seconds} s each; medians, with the smallest and the ` +
      "largest in brackets. Ratios are paired within a round. On a machine that does other things a difference under " +
      "20 % says nothing.\n",
    `${describeForeign(results)}\n`,
    WHO_IS_COMPARED,
    "## Targets\n",
    formatTargets(results.flatMap(judgeTargets)),
    ...results.map(formatResult),
  ];
  return `${parts.join("\n")}\n`;
}

/** The table of one benchmark. */
export function formatResult(result: BenchmarkResult): string {
  const { benchmark, contestants } = result;
  const [main] = benchmark.columns;
  const hasPlatform = contestants.length > 1 && contestants.some(({ name }) => name === "platform");
  const head = [
    "",
    ...benchmark.columns.map((column) => column.title),
    ...(hasPlatform ? ["platform is"] : []),
  ];
  const rows = contestants.map(({ name, rounds, fault }) => {
    if (!rounds.some((figures) => figures !== undefined)) {
      return [name, `not measured: ${fault ?? "no figures"}`, ...head.slice(2).map(() => "")];
    }
    const cells = benchmark.columns.map((column) =>
      formatSummary(summarize(figureOf(contestants, name, column.figure)), column),
    );
    return [name, ...cells, ...(hasPlatform && main ? [ratioTo(result, name, main)] : [])];
  });
  const shares = contestants.flatMap(({ name }) => {
    const share = summarize(figureOf(contestants, name, "generatorShare"));
    return share ? [{ name, share: share.max }] : [];
  });
  const busy = shares.filter(({ share }) => share > GENERATOR_SHARE_MAX);
  const largest = Math.max(0, ...shares.map(({ share }) => share));
  const faults = contestants.filter(
    ({ fault, rounds }) => fault !== undefined && rounds.some((figures) => figures !== undefined),
  );
  const notes = [
    ...(benchmark.notes ?? []),
    ...(shares.length > 0
      ? [`The generator took ${(largest * 100).toFixed(0)} % of the machine at most.`]
      : []),
    ...describeForeign([result]).split("\n").filter(Boolean),
    ...busy.map(
      ({ name, share }) =>
        `**${name}: the generator took ${(share * 100).toFixed(0)} % of the machine, so it is part of this result.**`,
    ),
    ...faults.map(({ name, fault }) => `${name}: a round failed: ${fault}`),
  ];
  return `\n## ${benchmark.name}\n\n${benchmark.title}.\n\n${table(head, rows)}\n${notes.map((note) => `\n- ${note}`).join("")}\n`;
}

/** What profiles say of where the services' time goes, for whoever wants to know why a target is missed. */
export function formatProfiles(
  profiles: readonly { benchmark: string; service: string; lines: readonly string[] }[],
  conditions: RunConditions,
): string {
  const parts = profiles.map(
    ({ benchmark, service, lines }) =>
      `## ${benchmark}: ${service}\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\`\n`,
  );
  return [
    "# Where the services' time goes\n",
    `${conditions.at}, ${describeVersions(conditions.versions)}. Functions by the time that they took themselves, idle time ` +
      "aside, while each benchmark ran (`npm run bench -- <name> --profile`). Names without a file are Node's own: " +
      "`writeBuffer` and `writev` are writes to sockets, `dispatch` is what the interpreter charges to the event loop.\n",
    ...parts,
  ].join("\n");
}

const NOTES = "## What was tried";

/** The page with new profiles, and with the notes that people wrote at the end of the page as it was. */
export function keepNotes(page: string, pageBefore: string): string {
  const notesAt = pageBefore.indexOf(`\n${NOTES}\n`);
  return notesAt === -1 ? page : page + pageBefore.slice(notesAt);
}

export function formatTargets(judged: readonly JudgedTarget[]): string {
  const rows = judged.map(({ target, measured, verdict }) => [
    target.what,
    target.against ?? "—",
    bound(target),
    measured ? formatRatio(measured) : "—",
    verdict === "met" ? "met" : `**${verdict}**`,
  ]);
  return table(["what", "against", "target", "measured", ""], rows);
}

function ratioTo(result: BenchmarkResult, name: string, column: Column): string {
  if (name === "platform") return "";
  const own = figureOf(result.contestants, "platform", column.figure);
  const other = figureOf(result.contestants, name, column.figure);
  const ratio = summarize(pairRatios(own, other));
  return ratio ? `${formatRatio(ratio)} ×` : "";
}

function bound({ atMost, atLeast }: Target): string {
  return atMost !== undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
}

function formatRatio({ median, min, max }: Summary): string {
  return `${round(median)} (${round(min)}–${round(max)})`;
}

/** Ratios and figures alike: three digits that count are enough. */
function round(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function formatSummary(summary: Summary | null, { digits }: Column): string {
  if (!summary) return "—";
  const text = (value: number) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const { median, min, max } = summary;
  return text(min) === text(max) ? text(median) : `${text(median)} (${text(min)}–${text(max)})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** What else went on. */
function describeForeign(results: readonly BenchmarkResult[]): string {
  const shares = results.flatMap(({ contestants }) =>
    contestants.flatMap(({ rounds }) => rounds.map((figures) => figures?.foreignShare)),
  );
  const summary = summarize(shares);
  if (!summary) return "";
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
  return `Other processes took ${percent(summary.median)} of the machine meanwhile (median; ${percent(summary.max)} at most).`;
}

function describeMachine(): string {
  const cores = cpus();
  const gigabytes = (totalmem() / 1_024 ** 3).toFixed(0);
  return `${cores.length} cores (${cores[0]?.model.trim() ?? "unknown"}), ${gigabytes} GB, ${platform()} ${release()}`;
}

function describeVersions(versions: Readonly<Record<string, string>>): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
}
