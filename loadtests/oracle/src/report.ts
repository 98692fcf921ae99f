import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { formatVerdict, type Verdict } from "./judge.ts";

/**
 * Prints one line for each verdict and, with `file`, writes them all as JSON.
 *
 * @returns whether all are good: `process.exitCode = (await reportVerdicts(…)) ? 0 : 1`.
 */
export async function reportVerdicts(
  verdicts: readonly Verdict[],
  options: { file?: string; print?: (line: string) => void } = {},
): Promise<boolean> {
  const ok = verdicts.every((verdict) => verdict.ok);
  for (const verdict of verdicts) (options.print ?? console.log)(formatVerdict(verdict));
  if (options.file) {
    await mkdir(dirname(options.file), { recursive: true });
    const judgedAt = new Date().toISOString();
    await writeFile(options.file, `${JSON.stringify({ ok, judgedAt, verdicts }, null, 2)}\n`);
  }
  return ok;
}
