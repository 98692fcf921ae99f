import { runArtillery } from "./artillery-run.ts";
import type { Target } from "./target.ts";
import { judgeSmoke } from "./verdict.ts";

const ARRIVE_SECONDS = 5;
const TIMEOUT_MS = 60_000;
const SHOWN_FAULTS = 10;

/** @returns the exit status: 0 when every order, message and position arrived. */
export async function runSmoke(target: Target, visitors: number): Promise<number> {
  const { report } = await runArtillery({
    script: "smoke.yml",
    url: target.url,
    timeoutMs: TIMEOUT_MS,
    env: { AUTH_JWT_SECRET: target.secret },
    overrides: { config: { phases: [{ duration: ARRIVE_SECONDS, arrivalCount: visitors }] } },
  });
  const { paths, faults } = judgeSmoke(report);
  for (const path of paths) console.log(`  ${path}`);
  for (const fault of faults.slice(0, SHOWN_FAULTS)) console.error(`FAILED: ${fault}`);
  if (faults.length > SHOWN_FAULTS) console.error(`… and ${faults.length - SHOWN_FAULTS} more`);
  if (faults.length === 0) console.log("passed");
  return faults.length === 0 ? 0 : 1;
}
