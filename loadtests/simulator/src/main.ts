import { raise } from "@localstreet/contracts/raise";
import { describeCounts } from "./counts.ts";
import { type Flags, parseFlags, USAGE } from "./flags.ts";
import { startSimulation } from "./simulate.ts";

const REPORT_MS = 30_000;

function readFlags(): { flags: Flags; secret: string } {
  try {
    const flags = parseFlags(process.argv.slice(2));
    const secret = process.env.AUTH_JWT_SECRET;
    if (!secret) throw new Error("AUTH_JWT_SECRET must be set: it signs the tokens");
    return { flags, secret };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { flags, secret } = readFlags();
const startedAt = performance.now();
const simulation = startSimulation({
  ...flags,
  secret,
  issuer: process.env.AUTH_ISSUER,
  log: (line) => console.log(line),
});
const { town } = simulation;
console.log(
  `Gothenburg is open after ${Math.round(performance.now() - startedAt)} ms: ${town.vendors.length} vendors, ` +
    `${town.buyers.length} buyers, ${town.couriers.length} couriers, at ${flags.gateway}`,
);
const reports = setInterval(() => console.log(describeCounts(simulation.counts)), REPORT_MS);

async function end(): Promise<void> {
  clearInterval(reports);
  await simulation.stop();
  console.log(describeCounts(simulation.counts));
  process.exit(0);
}
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    end().catch(raise);
  });
}
