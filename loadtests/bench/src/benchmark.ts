import type { Figures, RunSpec } from "./generator/specs.ts";
import type { Lab } from "./lab.ts";

/** One comparison: servers that do the same, and what is promised about how they compare. */
export interface Benchmark {
  readonly name: string;
  /** What is measured, in a sentence. */
  readonly title: string;
  readonly contestants: readonly Contestant[];
  /** Columns of its table, the first of them the one that matters. */
  readonly columns: readonly Column[];
  readonly targets: readonly Target[];
  /** What a reader should know before comparing. */
  readonly notes?: readonly string[];
}

export interface Column {
  readonly figure: string;
  readonly title: string;
  readonly digits: number;
}

export interface Contestant {
  readonly name: string;
  /** Why it cannot run on this machine, and how that is changed; `null` when it can. */
  readonly missing?: () => string | null;
  start(lab: Lab): Promise<Started>;
}

/** A server that is up, or something that measures itself. */
export interface Started {
  /** The processes whose cost counts, with their descendants. */
  readonly pids: () => readonly number[];
  /** Stores whose cost is told beside it. */
  readonly storePids?: () => readonly number[];
  /** What the generator does with it in one round. */
  readonly load?: () => RunSpec | Promise<RunSpec>;
  /** For what the generator does not drive. */
  readonly measure?: () => Promise<Figures>;
  /** Figures that the server itself knows, taken right before and after what counts. */
  readonly inspect?: () => Promise<Figures>;
  /** Figures that follow from all others of a round. */
  readonly derive?: (figures: Figures) => Figures;
  /** Makes it as good as new between rounds. */
  readonly renew?: () => Promise<void>;
  /** The service process that `--profile` looks at. */
  readonly profilePid?: () => number;
  stop(): Promise<void>;
}

/** `of` compared with `against` in the same round, or with nothing. */
export interface Target {
  readonly what: string;
  readonly figure: string;
  readonly of: string;
  readonly against: string | null;
  /** When it is another figure of the other. */
  readonly againstFigure?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}
