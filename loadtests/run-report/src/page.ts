import {
  escapeText,
  formatMs,
  type Layer,
  linearScale,
  logScale,
  renderChart,
  type Value,
} from "./chart.ts";
import { percentile } from "./histogram.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { complaintsOf, isClean, type RunRecord, summarise } from "./run-record.ts";
import type { TimelineRecord } from "./timeline.ts";

type PathSeconds = TimelineRecord["paths"][string];

/** In the order in which they are shown. */
const TITLES: Record<string, string> = {
  orders: "Orders",
  chat: "Chat messages",
  tracking: "Courier positions",
  dashboard: "Dashboard",
};

/** One HTML file that needs nothing else: the verdict on top, then what was offered and delivered, and how late. */
export function renderPage(run: RunRecord): string {
  const firstSecond = Math.floor(run.startedAtMs / 1_000);
  const seconds = Math.max(1, Math.ceil(run.endedAtMs / 1_000) - firstSecond);
  const clean = isClean(run);
  const shared = {
    seconds,
    firstSecond,
    marks: run.timeline.marks.map(({ atMs, label }) => ({
      second: atMs / 1_000 - firstSecond,
      label,
    })),
  };
  const charts = Object.entries(run.timeline.paths)
    .sort(([a], [b]) => byPath({ path: a }, { path: b }))
    .map(
      ([path, recorded]) =>
        `<section class="path ${escapeText(path)}"><h2>${titleOf(path)}</h2><div class="pair">
${throughputChart(recorded, shared)}
${latencyChart(recorded, shared)}</div></section>`,
    );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(run.scenario)}: ${clean ? "nothing lost" : "failed"}</title><style>${PAGE_STYLE}</style></head>
<body><main>
<header class="${clean ? "clean" : "broken"}"><p class="name">${escapeText(run.scenario)} <span>${escapeText(run.description)}</span></p>
<h1>${escapeText(summarise(run))}</h1>
<dl>${facts(run)
    .map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeText(value)}</dd></div>`)
    .join("")}</dl></header>
${faultList(run)}
${verdictTable(run)}
${charts.join("\n")}
${connectionsSection(run.timeline, shared)}
</main></body></html>
`;
}

interface Shared {
  readonly seconds: number;
  readonly firstSecond: number;
  readonly marks: readonly { readonly second: number; readonly label: string }[];
}

function facts(run: RunRecord): [string, string][] {
  const lasted = Math.round((run.endedAtMs - run.startedAtMs) / 1_000);
  const share = run.generatorShare;
  return [
    ["Started", `${new Date(run.startedAtMs).toISOString().slice(0, 19).replace("T", " ")} UTC`],
    ["Lasted", `${lasted} s`],
    ["Size", run.size],
    ["Target", run.target],
    ...(share === undefined
      ? []
      : ([["Load took", `${Math.round(share * 100)} % of the machine`]] as [string, string][])),
  ];
}

function faultList({ faults }: RunRecord): string {
  if (faults.length === 0) return "";
  return `<ul class="faults">${faults.map((fault) => `<li>${escapeText(fault)}</li>`).join("")}</ul>`;
}

function markList({ marks }: Shared): string {
  if (marks.length === 0) return "";
  const items = marks.map(
    ({ second, label }) => `<li><b>${second.toFixed(1)} s</b> ${escapeText(label)}</li>`,
  );
  return `<div><p class="what">What happened</p><ol>${items.join("")}</ol></div>`;
}

function verdictTable({ verdicts }: RunRecord): string {
  if (verdicts.length === 0) return "";
  const rows = [...verdicts].sort(byPath).map((verdict) => {
    const latency = verdict.latencyMs;
    const complaints = complaintsOf(verdict);
    const cells = [
      number(verdict.offered),
      number(verdict.acknowledged),
      number(verdict.refused),
      number(verdict.delivered),
      formatMs(latency?.p50),
      formatMs(latency?.p99),
      formatMs(latency?.max),
    ];
    return `<tr><th>${titleOf(verdict.path)}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}
<td class="${verdict.ok ? "good" : "bad"}">${verdict.ok ? "all as promised" : escapeText(complaints.join(", ") || "not as promised")}</td></tr>`;
  });
  const heads = ["offered", "acknowledged", "refused", "delivered", "p50", "p99", "max", "verdict"];
  return `<div class="table"><table><thead><tr><th></th>${heads.map((head) => `<th>${head}</th>`).join("")}</tr></thead>
<tbody>${rows.join("\n")}</tbody></table></div>`;
}

function throughputChart(recorded: PathSeconds, { seconds, firstSecond, marks }: Shared): string {
  const counts = new Map(recorded.map(([at, values]) => [at - firstSecond, values]));
  const series = (index: 0 | 1 | 2 | 3 | 4): number[] =>
    Array.from({ length: seconds }, (_, second) => counts.get(second)?.[index] ?? 0);
  const [offered, refused, delivered, due] = [series(0), series(2), series(3), series(4)];
  const layers: Layer[] = [
    { kind: "area", style: "delivered", values: delivered },
    { kind: "line", style: "due", values: due },
  ];
  if (refused.some((count) => count > 0)) {
    layers.push({ kind: "line", style: "refused", values: refused });
  }
  return renderChart({
    title: "Delivered",
    unit: "a second; dashed: due",
    seconds,
    scale: linearScale(Math.max(...due, ...delivered)),
    layers,
    marks,
    tooltip: (second) =>
      `${second} s: ${number(offered[second])} offered to ${number(due[second])}, ${number(delivered[second])} delivered, ${number(refused[second])} refused`,
  });
}

function latencyChart(recorded: PathSeconds, { seconds, firstSecond, marks }: Shared): string {
  const bySecond = new Map(recorded.map(([at, , latencies]) => [at - firstSecond, latencies]));
  const at = (share: number): Value[] =>
    Array.from({ length: seconds }, (_, second) => percentile(bySecond.get(second) ?? [], share));
  const [low, p50, p90, p99, max] = [at(0.01), at(0.5), at(0.9), at(0.99), at(1)];
  const known = [...low, ...max].filter((value) => value !== undefined);
  if (known.length === 0) return "";
  return renderChart({
    title: "From offer to delivery",
    unit: "50, 90 and 99 % within; line: slowest",
    seconds,
    scale: logScale(Math.min(...known), Math.max(...known)),
    layers: [
      { kind: "band", style: "band99", low, high: p99 },
      { kind: "band", style: "band90", low, high: p90 },
      { kind: "band", style: "band50", low, high: p50 },
      { kind: "line", style: "slowest", values: max },
    ],
    marks,
    tooltip: (second) =>
      `${second} s: 50 % within ${formatMs(p50[second])}, 90 % ${formatMs(p90[second])}, 99 % ${formatMs(p99[second])}, slowest ${formatMs(max[second])}`,
  });
}

function connectionsSection(timeline: TimelineRecord, shared: Shared): string {
  if (timeline.connections.length === 0 && shared.marks.length === 0) return "";
  const { seconds, firstSecond, marks } = shared;
  const open = new Map(timeline.connections.map(([at, count]) => [at - firstSecond, count]));
  // A second without a count, in a process that was busy, is as the one before.
  let last = 0;
  const values = Array.from({ length: seconds }, (_, second) => {
    last = open.get(second) ?? last;
    return last;
  });
  const chart = renderChart({
    title: "Open",
    unit: "at the end of each second",
    seconds,
    scale: linearScale(Math.max(1, ...open.values())),
    layers: [{ kind: "area", style: "delivered", values }],
    marks,
    tooltip: (second) => `${second} s: ${number(values[second])} open`,
  });
  return `<section class="path connections"><h2>Connections</h2><div class="pair">${chart}${markList(shared)}</div></section>`;
}

function byPath(a: { path: string }, b: { path: string }): number {
  const order = Object.keys(TITLES);
  return order.indexOf(a.path) - order.indexOf(b.path);
}

function titleOf(path: string): string {
  return escapeText(TITLES[path] ?? path);
}

function number(value: number | undefined): string {
  return (value ?? 0).toLocaleString("en");
}
