import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter, Gauge } from "prom-client";

interface ProjectionProgress {
  readonly sequence: number;
  readonly lagEvents: number;
  readonly lagMs: number;
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
    localstreet_projection_sequence: ["Newest event of the log that is projected", "sequence", 1],
    localstreet_projection_lag_events: ["Events that are not projected yet", "lagEvents", 1],
    localstreet_projection_lag_seconds: ["How long ago the next one was stored", "lagMs", 1_000],
  } as const;
  for (const [name, [help, field, divisor]] of Object.entries(gauges)) {
    new Gauge({
      name,
      help: `${help}; only on the replica that does it`,
      registers,
      collect() {
        this.remove();
        if (progress) this.set(progress[field] / divisor);
      },
    });
  }
  return {
    applied(now) {
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
