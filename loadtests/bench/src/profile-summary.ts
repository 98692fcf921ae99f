import { readFileSync } from "node:fs";
import { basename } from "node:path";

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Where a CPU profile's time went: the functions that took most of it themselves, in percent of what was not idle. */
export function summarizeProfile(file: string, count = 12): string[] {
  return topFunctions(JSON.parse(readFileSync(file, "utf8")) as CpuProfile, count);
}

export function topFunctions(profile: CpuProfile, count: number): string[] {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const micros = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of profile.samples.entries()) {
    const frame = frames.get(id);
    if (!frame || frame.functionName === "(idle)") continue;
    const spent = Math.max(0, profile.timeDeltas[index] ?? 0);
    busy += spent;
    const where = frame.url === "" ? "" : ` ${shortUrl(frame.url)}:${frame.lineNumber + 1}`;
    const name = `${frame.functionName || "(anonymous)"}${where}`;
    micros.set(name, (micros.get(name) ?? 0) + spent);
  }
  return [...micros]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([name, spent]) => `${((spent / busy) * 100).toFixed(1).padStart(5)} %  ${name}`);
}

/** The package and the file. */
function shortUrl(url: string): string {
  const packages = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(url)?.[1];
  return packages === undefined
    ? url.replace(/^.*\/(packages|services)\//, "")
    : `${packages}/${basename(url)}`;
}
