import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter, Gauge } from "prom-client";

interface ProjectionProgress {
  readonly sequence: number;
  readonly lagEvents: number;
  /** `null`: as before. */
  readonly throughAt: Date | null;
}

/** Where the projection of orders stands, on the replica that does it. */
export function registerProjectionMetrics({ metrics }: ServiceKit): {
  applied(progress: ProjectionProgress): void;
  /** This replica does it no more. */
  standAside(): void;
  skipped(reason: "foreign" | "malformed" | "refused", count: number): void;
} {
  const registers = [metrics];
  let progress: ProjectionProgress | null = null;
  let throughMs = 0;
  const skipped = new Counter({
    name: "localstreet_projection_skipped_total",
    help: "Events of the log that are not projected: of no known kind, against their schema, or none that Postgres holds",
    labelNames: ["reason"],
    registers,
  });
  new Gauge({
    name: "localstreet_projection_holder",
    help: "1 on the replica that projects the log of orders",
    registers,
    collect() {
      this.set(progress ? 1 : 0);
    },
  });
  const gauges = {
    localstreet_projection_sequence: [
      "Newest event of the log that is projected",
      (now: ProjectionProgress) => now.sequence,
    ],
    localstreet_projection_lag_events: [
      "Events that are not projected yet",
      (now: ProjectionProgress) => now.lagEvents,
    ],
    localstreet_projection_lag_seconds: [
      "How far behind the clock the log is projected for certain: deadlines are late by that",
      () => (Date.now() - throughMs) / 1_000,
    ],
  } as const;
  for (const [name, [help, read]] of Object.entries(gauges)) {
    new Gauge({
      name,
      help: `${help}; only on the replica that does it`,
      registers,
      collect() {
        this.remove();
        if (progress) this.set(read(progress));
      },
    });
  }
  return {
    applied(now) {
      // Since it began, as long as it has not reached the end.
      throughMs = now.throughAt?.getTime() ?? (progress ? throughMs : Date.now());
      progress = now;
    },
    standAside() {
      progress = null;
    },
    skipped(reason, count) {
      if (count > 0) skipped.inc({ reason }, count);
    },
  };
}
