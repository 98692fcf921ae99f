import { join } from "node:path";
import { parseArgs } from "node:util";

export const USAGE = `npm run oracle -- check --target URL [--vendors N] [--seconds N] [--json FILE]
npm run oracle -- lies

  check  plays a small town on a running platform: orders, chats and rides with everybody around them, then asks the
         platform what it has stored. One line for each path; the exit status is the verdict.
  lies   has a server tell every lie that the oracle knows, and prints which row of the verdict found it

  --target URL  the gateway's address
  --vendors N   how many vendors take part, 3 when absent
  --seconds N   for how long, 10 when absent
  --json FILE   where the verdict goes as JSON, .localstreet/oracle/verdict.json when absent

AUTH_JWT_SECRET in the environment signs the tokens; AUTH_ISSUER is their issuer where the platform wants one.`;

const DEFAULT_JSON = join(".localstreet", "oracle", "verdict.json");

export type Command =
  | { readonly command: "help" }
  | { readonly command: "lies" }
  | {
      readonly command: "check";
      readonly url: string;
      readonly secret: string;
      readonly issuer: string | undefined;
      readonly vendors: number;
      readonly seconds: number;
      readonly json: string;
    };

export class UsageError extends Error {}

/** @throws {UsageError} that says what is wrong or missing. */
export function readArguments(args: readonly string[], env: NodeJS.ProcessEnv): Command {
  const { values, positionals } = parse(args);
  const [command, ...more] = positionals;
  if (values.help || args.length === 0) return { command: "help" };
  if (more.length > 0 || (command !== "check" && command !== "lies")) {
    throw new UsageError(`"${positionals.join(" ")}" is neither check nor lies`);
  }
  if (command === "lies") return { command };
  const { target, json = DEFAULT_JSON } = values;
  if (target === undefined) {
    throw new UsageError("--target URL is missing: `npm start` prints the address of a platform");
  }
  if (!/^https?:\/\//.test(target) || !URL.canParse(target)) {
    throw new UsageError(`--target must be an http or https address, not "${target}"`);
  }
  const secret = env.AUTH_JWT_SECRET;
  if (!secret) throw new UsageError("AUTH_JWT_SECRET must be set: it signs the clients' tokens");
  return {
    command,
    url: new URL(target).origin,
    secret,
    issuer: env.AUTH_ISSUER || undefined,
    vendors: countOf("--vendors", values.vendors ?? "3", 1_000),
    seconds: countOf("--seconds", values.seconds ?? "10", 86_400),
    json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        target: { type: "string" },
        vendors: { type: "string" },
        seconds: { type: "string" },
        json: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function countOf(name: string, text: string, most: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new UsageError(`${name} must be a whole number from 1 to ${most}, not "${text}"`);
}
