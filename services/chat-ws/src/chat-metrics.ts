import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter, Histogram } from "prom-client";
import type { ChatFeed } from "./chat-feed.ts";

export function registerChatMetrics(
  { metrics }: ServiceKit,
  feed: ChatFeed,
): { onBatch(size: number, durationMs: number): void } {
  const registers = [metrics];
  const sizes = new Histogram({
    name: "localstreet_chat_commit_messages",
    help: "Messages of one transaction",
    buckets: [1, 2, 5, 10, 20, 50, 100, 200],
    registers,
  });
  const durations = new Histogram({
    name: "localstreet_chat_commit_seconds",
    help: "Duration of one transaction",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
    registers,
  });
  new Counter({
    name: "localstreet_chat_delivered_total",
    help: "Messages handed to sockets",
    registers,
    collect() {
      this.reset();
      this.inc(feed.stats().delivered);
    },
  });
  new Counter({
    name: "localstreet_chat_healed_total",
    help: "Messages that came from the table because no signal brought them",
    registers,
    collect() {
      this.reset();
      this.inc(feed.stats().healed);
    },
  });
  new Counter({
    name: "localstreet_chat_catch_ups_total",
    help: "Times that the table was asked what moved",
    registers,
    collect() {
      this.reset();
      this.inc(feed.stats().catchUps);
    },
  });
  return {
    onBatch(size, durationMs) {
      sizes.observe(size);
      durations.observe(durationMs / 1_000);
    },
  };
}
