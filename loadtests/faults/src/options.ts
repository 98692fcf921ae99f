import { parseArgs } from "node:util";

export interface ChaosOptions {
  /** Names as they were given. */
  readonly faults: readonly string[];
  readonly natsNodes: 1 | 3;
  /** Multiplies the load. */
  readonly size: number;
  readonly writeDocs: boolean;
  /** Keeps the data of each run, logs included. */
  readonly keep: boolean;
}

export type ParsedOptions =
  | { readonly kind: "run"; readonly options: ChaosOptions }
  | { readonly kind: "list" }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly message: string };

export const USAGE = `npm run chaos -- <fault …> [options]

  <fault …>     one or more names of --list, or: all, orders (those that harm the way of an order)
  --list        the faults, with what each does and what is promised
  --nats 3      a NATS cluster of three nodes instead of one server
  --size N      N times the load (1)
  --keep        keep the data and logs of every run, not only of those that broke a promise
  --write-docs  write the table to docs/faults.md as well
  --help        this text

Each fault gets a platform of its own, with its own data, under load; nothing else on this machine is touched. The table
of all runs is kept in .localstreet/chaos as faults.md and faults.json. The exit status is 1 when a promise was broken.
`;

/**
 * The command line of `npm run chaos`.
 *
 * @param known names of faults. @param groups names that stand for several of them.
 */
export function parseOptions(
  argv: readonly string[],
  known: readonly string[],
  groups: Readonly<Record<string, readonly string[]>>,
): ParsedOptions {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    return { kind: "wrong", message: (error as Error).message.split(". ")[0] as string };
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: "help" };
  if (values.list) return { kind: "list" };
  const { nats = "1", size = "1" } = values;
  if (nats !== "1" && nats !== "3") {
    return { kind: "wrong", message: `--nats ${nats}: there are 1 and 3` };
  }
  if (!/^[1-9]\d?$/.test(size)) {
    return { kind: "wrong", message: `--size ${size}: must be a whole number from 1 to 99` };
  }
  if (positionals.length === 0) return { kind: "wrong", message: "which fault? --list names them" };
  for (const name of positionals) {
    if (Object.hasOwn(groups, name) || known.includes(name)) continue;
    const near = closest(name, known);
    const hint = near === undefined ? "--list names them" : `did you mean ${near}?`;
    return { kind: "wrong", message: `no fault is called ${name}: ${hint}` };
  }
  const faults = [...new Set(positionals.flatMap((name) => groups[name] ?? [name]))];
  return {
    kind: "run",
    options: {
      faults,
      natsNodes: nats === "3" ? 3 : 1,
      size: Number(size),
      writeDocs: values["write-docs"] ?? false,
      keep: values.keep ?? false,
    },
  };
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      list: { type: "boolean" },
      nats: { type: "string" },
      size: { type: "string" },
      keep: { type: "boolean" },
      "write-docs": { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
}

/** The name that shares most pairs of letters with what was typed, when it shares half of them. */
function closest(typed: string, names: readonly string[]): string | undefined {
  const pairs = (text: string) =>
    new Set(Array.from({ length: text.length - 1 }, (_, at) => text.slice(at, at + 2)));
  const wanted = pairs(typed);
  const scored = names.map((name) => {
    const has = pairs(name);
    const shared = [...wanted].filter((pair) => has.has(pair)).length;
    return { name, score: (2 * shared) / (wanted.size + has.size || 1) };
  });
  const [best] = scored.sort((one, other) => other.score - one.score);
  return best && best.score >= 0.5 ? best.name : undefined;
}
