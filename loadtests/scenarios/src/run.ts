import { parseArgs } from "node:util";
import { runArtillery } from "./artillery-run.ts";
import { findTarget } from "./target.ts";
import { judgeSmoke } from "./verdict.ts";

const USAGE = `npm run loadtest -- smoke [--target URL]

  smoke         a few visitors through all four paths; fails when an order, a message or a position does not arrive
  --target URL  the platform's address; the one of \`npm start\` in this checkout when absent

AUTH_JWT_SECRET in the environment signs the tokens; with \`npm start\` its own secret is used.`;

const SMOKE_TIMEOUT_MS = 60_000;
const SHOWN_FAULTS = 10;

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

function readArguments(): { target: string | undefined } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { target: { type: "string" } },
    });
    if (positionals.join() !== "smoke") throw new Error("There is one load test so far: smoke");
    return { target: values.target };
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { target: url } = readArguments();
try {
  const target = await findTarget(url, process.env);
  console.log(`smoke test of ${target.url}`);
  const { paths, faults } = judgeSmoke(await runArtillery("smoke.yml", target, SMOKE_TIMEOUT_MS));
  for (const path of paths) console.log(`  ${path}`);
  for (const fault of faults.slice(0, SHOWN_FAULTS)) console.error(`FAILED: ${fault}`);
  if (faults.length > SHOWN_FAULTS) console.error(`… and ${faults.length - SHOWN_FAULTS} more`);
  if (faults.length === 0) console.log("passed");
  process.exitCode = faults.length === 0 ? 0 : 1;
} catch (error) {
  console.error(`FAILED: ${messageOf(error)}`);
  process.exitCode = 1;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
