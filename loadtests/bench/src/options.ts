import { parseArgs } from "node:util";

export interface BenchOptions {
  readonly names: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  /** Contestants to run; all of them when it is empty. */
  readonly only: readonly string[];
  readonly profile: boolean;
  readonly writeDocs: boolean;
}

export type ParsedOptions =
  | { readonly kind: "run"; readonly options: BenchOptions }
  | { readonly kind: "list" }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly message: string };

export const USAGE = `npm run bench -- <name> [<name> …] [options]
npm run bench -- all

  --list           the benchmarks, with what each compares
  --rounds N       interleaved rounds (3)
  --seconds N      how long each contestant is measured in a round (2)
  --only A,B       these contestants alone
  --profile        leave CPU profiles of the platform's service in .localstreet/bench/profiles (open them in
                   Chromium's developer tools); a profiled run is slower, so its figures are not results
  --write-docs     write docs/benchmarks.md; with --profile docs/benchmark-profiles.md
  --help           this text

Results are in .localstreet/bench/results.md and results.json.`;

/** The command line of `npm run bench`. Anything that is not understood is an error, not ignored. */
export function parseOptions(argv: readonly string[], known: readonly string[]): ParsedOptions {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        list: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        rounds: { type: "string", default: "3" },
        seconds: { type: "string", default: "2" },
        only: { type: "string", default: "" },
        profile: { type: "boolean", default: false },
        "write-docs": { type: "boolean", default: false },
      },
    });
    if (values.help) return { kind: "help" };
    if (values.list) return { kind: "list" };
    if (positionals.length === 0) throw new Error("Which benchmark? --list names them");
    const wrong = positionals.find((name) => name !== "all" && !known.includes(name));
    if (wrong !== undefined) {
      throw new Error(`There is no benchmark "${wrong}": ${known.join(", ")} or all`);
    }
    return {
      kind: "run",
      options: {
        names: positionals.includes("all") ? known : positionals,
        rounds: numberFrom("--rounds", values.rounds, 1, 100),
        seconds: numberFrom("--seconds", values.seconds, 0.1, 600),
        only: values.only.split(",").filter((name) => name !== ""),
        profile: values.profile,
        writeDocs: values["write-docs"],
      },
    };
  } catch (error) {
    return { kind: "wrong", message: (error as Error).message };
  }
}

function numberFrom(flag: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (!(number >= min && number <= max)) {
    throw new Error(`${flag} ${text}: must be a number from ${min} to ${max}`);
  }
  return number;
}
