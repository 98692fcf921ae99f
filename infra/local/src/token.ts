import { join } from "node:path";
import { parseArgs } from "node:util";
import { roleSchema } from "@localstreet/contracts/auth";
import { signToken } from "@localstreet/service-kit/sign-token";
import { CHECKOUT } from "./checkout.ts";
import { loadAuthentication } from "./secrets.ts";

const USAGE = `npm run -s token -- ROLE SUB [VENDOR …]

  ROLE     vendor, buyer, driver or service
  SUB      who it is: a buyer's or a driver's id, or a member of staff
  VENDOR   the vendors that a member of staff acts for

Prints a token of one hour for the platform that \`npm start\` runs here.
`;

/** The file where `npm start` keeps the secret that it made. */
const SECRET_FILE = join(
  process.env.LOCALSTREET_DIR || join(CHECKOUT, ".localstreet"),
  "platform/auth-secret",
);

async function main(): Promise<void> {
  const { positionals } = parseArgs({ args: process.argv.slice(2), allowPositionals: true });
  const [role, sub, ...vendors] = positionals;
  const parsed = roleSchema.safeParse(role);
  if (!parsed.success || sub === undefined) return fail(USAGE);
  const { secret } = loadAuthentication(SECRET_FILE, process.env);
  if (secret === undefined) {
    return fail("A key set is configured: whoever holds its private keys signs the tokens.");
  }
  console.log(await signToken({ secret, role: parsed.data, sub, vendors }));
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 2;
}

await main();
