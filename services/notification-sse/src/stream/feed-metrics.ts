import type { SubjectFeed } from "@localstreet/bus/subject-feed";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter, Gauge } from "prom-client";

/** The feed's own counts, read when they are asked for. */
export function registerFeedMetrics({ metrics }: ServiceKit, feed: SubjectFeed): void {
  const registers = [metrics];
  const gauges = {
    localstreet_followed_vendors: [
      "Vendors with a stream here, or with one a while ago: this replica receives no other's events",
      "subjects",
    ],
    localstreet_vendor_followers: ["Streams and lists that follow a vendor here", "followers"],
    localstreet_recent_events_bytes: [
      "What the events take that are remembered for those who come back, about",
      "recentBytes",
    ],
  } as const;
  for (const [name, [help, stat]] of Object.entries(gauges)) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(feed.stats()[stat]);
      },
    });
  }
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
