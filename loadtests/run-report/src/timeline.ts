import { addHistogram, addLatency, type Histogram, percentile } from "./histogram.ts";

/** One path in one second. */
export interface Second {
  offered: number;
  /** Deliveries that the offers of this second ask for: each has a number of receivers. */
  due: number;
  acknowledged: number;
  refused: number;
  delivered: number;
  /** Of what was delivered, from the offer on. */
  readonly latencies: Histogram;
}

/** Something that was done to the platform, or that happened to it. */
export interface Mark {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly label: string;
}

export type Counts = readonly [
  offered: number,
  acknowledged: number,
  refused: number,
  delivered: number,
  due: number,
];

/** What happened when, as JSON. */
export interface TimelineRecord {
  /** Path, then second since the epoch. Seconds in which nothing happened are absent. */
  readonly paths: Readonly<
    Record<
      string,
      readonly (readonly [
        second: number,
        counts: Counts,
        latencies: readonly (readonly [number, number])[],
      ])[]
    >
  >;
  /** Connections that were open, by second since the epoch. */
  readonly connections: readonly (readonly [second: number, open: number])[];
  readonly marks: readonly Mark[];
}

/** Counts of each second: a few hundred bytes for each, however much happens in it. */
export interface Timeline {
  /** @param receivers how many are to get it. */
  offer(path: string, atMs: number, receivers: number): void;
  count(path: string, what: "acknowledged" | "refused", atMs: number): void;
  deliver(path: string, atMs: number, latencyMs: number | undefined): void;
  connections(atMs: number, open: number): void;
  mark(atMs: number, label: string): void;
  /** Adds what another timeline recorded at the same time; open connections add up. */
  merge(record: TimelineRecord): void;
  record(): TimelineRecord;
}

export function createTimeline(): Timeline {
  const paths = new Map<string, Map<number, Second>>();
  const connections = new Map<number, number>();
  const marks: Mark[] = [];

  function secondAt(path: string, second: number): Second {
    const seconds = paths.get(path) ?? new Map<number, Second>();
    paths.set(path, seconds);
    let found = seconds.get(second);
    if (!found) {
      const none = { offered: 0, due: 0, acknowledged: 0, refused: 0, delivered: 0 };
      found = { ...none, latencies: new Map() };
      seconds.set(second, found);
    }
    return found;
  }

  return {
    offer(path, atMs, receivers) {
      const second = secondAt(path, Math.floor(atMs / 1_000));
      second.offered += 1;
      second.due += receivers;
    },
    count(path, what, atMs) {
      secondAt(path, Math.floor(atMs / 1_000))[what] += 1;
    },
    deliver(path, atMs, latencyMs) {
      const second = secondAt(path, Math.floor(atMs / 1_000));
      second.delivered += 1;
      if (latencyMs !== undefined) addLatency(second.latencies, latencyMs);
    },
    connections(atMs, open) {
      connections.set(Math.floor(atMs / 1_000), open);
    },
    mark(atMs, label) {
      marks.push({ atMs, label });
    },
    merge(record) {
      for (const [path, seconds] of Object.entries(record.paths)) {
        for (const [at, [offered, acknowledged, refused, delivered, due], latencies] of seconds) {
          const second = secondAt(path, at);
          second.offered += offered;
          second.acknowledged += acknowledged;
          second.refused += refused;
          second.delivered += delivered;
          second.due += due;
          addHistogram(second.latencies, latencies);
        }
      }
      for (const [at, open] of record.connections) {
        connections.set(at, (connections.get(at) ?? 0) + open);
      }
      marks.push(...record.marks);
    },
    record() {
      const bySecond = <T>([a]: readonly [number, ...T[]], [b]: readonly [number, ...T[]]) => a - b;
      return {
        paths: Object.fromEntries(
          [...paths].map(([path, seconds]) => [
            path,
            [...seconds]
              .map(([at, { offered, acknowledged, refused, delivered, due, latencies }]) => {
                const counts: Counts = [offered, acknowledged, refused, delivered, due];
                return [at, counts, [...latencies]] as const;
              })
              .sort(bySecond),
          ]),
        ),
        connections: [...connections].sort(bySecond),
        marks: [...marks].sort((a, b) => a.atMs - b.atMs),
      };
    },
  };
}

/** Percentiles of a whole path, in milliseconds, `null` when nothing was delivered. `max` is to 2 %, as the others are. */
export function latencyOf(
  record: TimelineRecord,
  path: string,
): { p50: number; p99: number; max: number } | null {
  const all: Histogram = new Map();
  for (const [, , latencies] of record.paths[path] ?? []) addHistogram(all, latencies);
  const at = (share: number) => Math.round((percentile(all, share) ?? 0) * 100) / 100;
  return all.size === 0 ? null : { p50: at(0.5), p99: at(0.99), max: at(1) };
}
