import { parseArgs } from "node:util";
import { CATALOGUE, type Scenario } from "./catalogue.ts";

export interface RunArguments {
  readonly scenario: Scenario;
  readonly target: string | undefined;
  readonly size: number;
  readonly seconds: number | undefined;
  readonly perAddress: number | undefined;
  readonly workers: number | undefined;
}

export type ParsedArguments =
  | { readonly kind: "run"; readonly run: RunArguments }
  | { readonly kind: "list" | "help" }
  | { readonly kind: "wrong"; readonly message: string };

const MAX_SIZE = 200_000;
const MAX_SECONDS = 24 * 3_600;

export function listScenarios(): string {
  return CATALOGUE.map(
    ({ name, description, size }) =>
      `  ${name.padEnd(16)} ${description} (${size.default.toLocaleString("en")} ${size.unit})`,
  ).join("\n");
}

export const USAGE = `npm run loadtest -- <scenario> [options]

${listScenarios()}

  --target URL     the platform's address; the one of \`npm start\` in this checkout when absent
  --size N         how many of what the scenario counts, above in brackets
  --seconds N      how long they are busy
  --per-address N  hold: connections from one source address (90: the gateway admits 100, unless
                   GATEWAY_CONNECTIONS_PER_ADDRESS says otherwise)
  --workers N      hold: processes of the generator (one for each 5,000 connections)
  --list, --help

AUTH_JWT_SECRET in the environment signs the tokens (AUTH_ISSUER names their issuer); with \`npm start\` its own secret is
used. The exit status is the verdict. Each run leaves its figures and a page below .localstreet/loadtests.`;

/** The command line of `npm run loadtest`. Anything that is not understood is an error, not ignored. */
export function parseArguments(argv: readonly string[]): ParsedArguments {
  let values: Partial<Record<string, string | boolean>>;
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        target: { type: "string" },
        size: { type: "string" },
        seconds: { type: "string" },
        "per-address": { type: "string" },
        workers: { type: "string" },
        list: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    return { kind: "wrong", message: (error as Error).message.split(". ")[0] as string };
  }
  if (values.help) return { kind: "help" };
  if (values.list) return { kind: "list" };
  const [name, ...others] = positionals;
  if (name === undefined) return { kind: "wrong", message: "Which scenario?" };
  const scenario = CATALOGUE.find((each) => each.name === name);
  if (!scenario || others.length > 0) {
    const unknown = scenario ? others[0] : name;
    return { kind: "wrong", message: `There is no scenario "${unknown}"${meant(String(unknown))}` };
  }
  const numbers: Record<string, number | undefined> = {};
  for (const [option, max] of [
    ["size", MAX_SIZE],
    ["seconds", MAX_SECONDS],
    ["per-address", MAX_SIZE],
    ["workers", 1_000],
  ] as const) {
    const text = values[option];
    if (text === undefined) continue;
    const number = Number(text);
    if (!/^\d+$/.test(String(text)) || number < 1 || number > max) {
      return {
        kind: "wrong",
        message: `--${option} ${text}: must be a whole number from 1 to ${max}`,
      };
    }
    numbers[option] = number;
  }
  return {
    kind: "run",
    run: {
      scenario,
      target: values.target as string | undefined,
      size: numbers.size ?? scenario.size.default,
      seconds: numbers.seconds,
      perAddress: numbers["per-address"],
      workers: numbers.workers,
    },
  };
}

/** The name that was probably meant, as the end of a sentence. */
function meant(typed: string): string {
  const close = CATALOGUE.map(({ name }) => ({ name, far: distance(typed, name) }))
    .filter(({ far }) => far <= 2)
    .sort((a, b) => a.far - b.far)[0];
  return close ? `; did you mean "${close.name}"?` : "";
}

/** Letters to change, add or take away (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const change = (row[j] as number) + (letter === other ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
