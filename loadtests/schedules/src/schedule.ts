import { seededRandom } from "./virtual-time.ts";

/** Each with its weight: how often a schedule takes it. */
const OPERATIONS = {
  publish: 12,
  "publish-many": 2,
  "publish-same-again": 1,
  "deliver-live": 10,
  "lose-live": 3,
  "advance-request": 26,
  "answer-all": 10,
  "take-subscriptions": 2,
  disconnect: 3,
  reconnect: 6,
  "kill-replica": 1,
  purge: 2,
  delete: 2,
  "delete-newest": 1,
  "make-anew": 1,
  backup: 2,
  restore: 3,
  "catch-up": 4,
  connect: 10,
  drop: 4,
  stall: 2,
  read: 4,
  ping: 2,
  "pass-time": 8,
} as const;
export type Operation = keyof typeof OPERATIONS;

const TABLE: readonly Operation[] = Object.entries(OPERATIONS).flatMap(([operation, weight]) =>
  Array.from({ length: weight }, () => operation as Operation),
);

/** What a schedule runs on. */
export interface Setting {
  readonly seed: number;
  readonly replicas: 1 | 2;
  readonly devices: number;
  /** Events that a replica remembers of a subject. */
  readonly memoryEvents: number;
  readonly keepMs: number;
  readonly tailCheckMs: number;
  /** Events of a stream are kept for so long. */
  readonly maxAgeMs: number;
  readonly readsFromFollower: boolean;
  /** The replicas project the log into a record too. */
  readonly hasRecord: boolean;
  /** Operations that this schedule goes without. */
  readonly without: readonly Operation[];
}

/** A setting, and one number for each step. */
export interface Schedule {
  readonly setting: Setting;
  readonly steps: readonly number[];
}

const STEPS = { least: 20, most: 90 };
const NEVER_MS = 1e9;

/**
 * Removing and restoring are not in one schedule, nor are removing and losing a live copy without a disconnect: see
 * docs/adr/0006.
 */
const DAMAGE: readonly (readonly Operation[])[] = [
  ["lose-live", "purge", "delete", "delete-newest", "backup", "restore"],
  ["purge", "delete", "delete-newest", "backup", "restore"],
  ["lose-live", "backup", "restore"],
  ["lose-live", "purge", "delete", "delete-newest"],
];
const OPTIONAL: readonly Operation[] = [
  "purge",
  "delete",
  "delete-newest",
  "make-anew",
  "disconnect",
  "kill-replica",
  "drop",
  "stall",
  "ping",
  "publish-same-again",
];

/** The schedule of a seed. */
export function scheduleOf(seed: number): Schedule {
  const random = seededRandom(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const without = new Set(pick(DAMAGE));
  for (const operation of OPTIONAL) if (random() < 0.3) without.add(operation);
  const isAging = !without.has("purge") && random() < 0.4;
  const setting: Setting = {
    seed,
    replicas: random() < 0.5 ? 1 : 2,
    devices: 1 + Math.floor(random() * 3),
    memoryEvents: pick([1, 2, 4, 512]),
    keepMs: pick([0, 4_000, 60_000]),
    tailCheckMs: pick([2_000, 10_000]),
    maxAgeMs: isAging ? 30_000 : NEVER_MS,
    readsFromFollower: random() < 0.3,
    hasRecord: random() < 0.05,
    without: [...without],
  };
  const length = STEPS.least + Math.floor(random() * (STEPS.most - STEPS.least));
  const steps = Array.from({ length }, () => Math.floor(random() * 2 ** 31));
  return { setting, steps };
}

/** What a step says by itself, whatever stands before it. */
export function decodeStep(step: number): {
  readonly operation: Operation;
  readonly choice: number;
} {
  return {
    operation: TABLE[step % TABLE.length] as Operation,
    choice: Math.floor(step / TABLE.length),
  };
}
