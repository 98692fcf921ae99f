import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter, Gauge } from "prom-client";
import type { ProjectionMetrics, ProjectionProgress } from "./order-projection.ts";

/** Where the projection of orders stands, on the replica that does it. */
export function registerProjectionMetrics({
  metrics,
}: Pick<ServiceKit, "metrics">): ProjectionMetrics {
  const registers = [metrics];
  let progress: ProjectionProgress | null = null;
  let setAside = 0;
  /** By the clock that only goes forward. */
  let throughMs = 0;
  const foreign = new Counter({
    name: "localstreet_projection_skipped_total",
    help: "Messages of the log that are not projected: this platform did not write them",
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
      "How far behind the clock of Postgres the log is projected for certain: deadlines are late by that",
      () => (performance.now() - throughMs) / 1_000,
    ],
    localstreet_projection_set_aside: [
      "Events that were not understood and wait for a version that does: 0 is well",
      () => setAside,
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
      const nowMs = performance.now();
      if (now.lagMs !== null) throughMs = nowMs - now.lagMs;
      // Since it began, as long as it has not reached the end.
      else if (!progress) throughMs = nowMs;
      progress = now;
    },
    standAside() {
      progress = null;
    },
    foreign(count) {
      if (count > 0) foreign.inc({ reason: "foreign" }, count);
    },
    setAside(count) {
      setAside = count;
    },
  };
}
