import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatVerdict } from "@localstreet/oracle/judge";
import { renderPage } from "./page.ts";
import { isClean, type RunRecord, summarise } from "./run-record.ts";

/**
 * Writes `run.json`, `run.md` and `run.html` into a folder of their own below `dir`.
 *
 * @returns that folder.
 */
export function saveRun(run: RunRecord, dir: string): string {
  const stamp = new Date(run.startedAtMs).toISOString().slice(0, 19).replace(/[:T]/g, "-");
  const folder = join(dir, `${run.scenario}-${stamp}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "run.json"), `${JSON.stringify(run)}\n`);
  writeFileSync(join(folder, "run.md"), renderMarkdown(run));
  writeFileSync(join(folder, "run.html"), renderPage(run));
  return folder;
}

function renderMarkdown(run: RunRecord): string {
  const lines = [
    `# ${run.scenario}: ${isClean(run) ? "passed" : "failed"}`,
    "",
    `${run.description} ${run.size} against ${run.target}, ${new Date(run.startedAtMs).toISOString()}.`,
    "",
    summarise(run),
    "",
    ...run.verdicts.map((verdict) => `- ${formatVerdict(verdict)}`),
    ...run.faults.map((fault) => `- ${fault}`),
  ];
  return `${lines.join("\n")}\n`;
}
