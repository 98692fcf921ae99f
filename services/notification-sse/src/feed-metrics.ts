import type { SubjectFeed } from "@localstreet/bus/subject-feed";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter, Gauge } from "prom-client";

/** The feed's own counts, read when they are asked for. */
export function registerFeedMetrics({ metrics }: ServiceKit, feed: SubjectFeed): void {
  const registers = [metrics];
  new Gauge({
    name: "localstreet_followed_vendors",
    help: "Vendors with a stream on this replica: it receives no other's events",
    registers,
    collect() {
      this.set(feed.stats().subjects);
    },
  });
  new Counter({
    name: "localstreet_tail_checks_total",
    help: "Reads of a followed vendor's newest event from the leader",
    registers,
    collect() {
      this.reset();
      this.inc(feed.stats().tailChecks);
    },
  });
}
