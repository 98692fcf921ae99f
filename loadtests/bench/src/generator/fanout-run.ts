import { Arrivals } from "./arrivals.ts";
import { Histogram } from "./histogram.ts";
import { measureOwnShare } from "./own-cost.ts";
import { openPublisher } from "./publisher.ts";
import type { FanoutSpec, Figures } from "./specs.ts";
import { closeAll, openSubscribers } from "./subscribers.ts";
import { newRunName } from "./template.ts";

/** How long the last messages may take to arrive after the end of the window. */
const DRAIN_MS = 5_000;

/** Opens subscribers, publishes at a steady rate, and counts what comes of it. */
export async function runFanout(
  spec: FanoutSpec,
  gate: (at: "begin" | "end") => Promise<void>,
): Promise<Figures> {
  const run = newRunName();
  const { connections, topics } = spec.subscribers;
  const total = Math.ceil(((spec.warmUpMs + spec.windowMs) / 1_000 + 2) * spec.perSecond) + 100;
  const sentAtMs = new Float64Array(total);
  const sentToTopic = new Int32Array(topics);
  const arrivals = new Arrivals(connections);
  let latencies = new Histogram();
  let broken = 0;

  const opened = await openSubscribers(spec.subscribers, {
    run,
    marker: spec.marker,
    onNumber(connection, number) {
      arrivals.accept(connection, number);
      latencies.add(performance.now() - (sentAtMs[number] as number));
    },
    onLost: () => broken++,
  });
  const publisher = await openPublisher(spec.publisher, spec.body, run);
  try {
    let number = 0;
    const publishFor = async (ms: number) => {
      const until = performance.now() + ms;
      const firstNumber = number;
      const startedAtMs = performance.now();
      while (performance.now() < until && number + spec.burst <= total) {
        const dueAtMs = startedAtMs + ((number - firstNumber) / spec.perSecond) * 1_000;
        const waitMs = dueAtMs - performance.now();
        if (waitMs > 0.5) {
          await new Promise((resolve) => setTimeout(resolve, waitMs));
          continue;
        }
        const messages = Array.from({ length: spec.burst }, () => {
          const topic = number % topics;
          sentToTopic[topic] = (sentToTopic[topic] as number) + 1;
          return { topic, number: number++ };
        });
        const nowMs = performance.now();
        for (const message of messages) sentAtMs[message.number] = nowMs;
        publisher.publish(messages);
      }
    };
    const expected = () => {
      let sum = 0;
      for (let connection = 0; connection < connections; connection++) {
        sum += sentToTopic[connection % topics] as number;
      }
      return sum;
    };
    const hasAll = () =>
      spec.subscribers.maySkip
        ? isNewestEverywhere(arrivals, connections, topics, number)
        : arrivals.counts.delivered >= expected();
    const settle = async () => {
      const until = performance.now() + DRAIN_MS;
      while (!hasAll() && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };

    await publishFor(spec.warmUpMs);
    await settle();
    latencies = new Histogram();
    const before = { ...arrivals.counts, expected: expected() };
    await gate("begin");
    const share = measureOwnShare();
    const startedAtMs = performance.now();
    await publishFor(spec.windowMs);
    const publishedMs = performance.now() - startedAtMs;
    await settle();
    const generatorShare = share();
    await gate("end");

    const delivered = arrivals.counts.delivered - before.delivered;
    const outOfOrder = arrivals.counts.outOfOrder - before.outOfOrder;
    const missing = Math.max(0, expected() - before.expected - delivered - outOfOrder);
    const newestMissing = spec.subscribers.maySkip && !hasAll() ? 1 : 0;
    return {
      delivered,
      deliveredPerSecond: (delivered / publishedMs) * 1_000,
      lost: spec.subscribers.maySkip ? newestMissing : missing,
      skipped: spec.subscribers.maySkip ? missing : 0,
      duplicated: arrivals.counts.duplicated - before.duplicated,
      outOfOrder,
      broken,
      unacknowledged: publisher.unacknowledged(),
      p50Ms: latencies.percentileMs(50),
      p99Ms: latencies.percentileMs(99),
      maxMs: latencies.maxMs,
      generatorShare,
    };
  } finally {
    publisher.close();
    closeAll(opened);
  }
}

/** Where messages may be skipped, the newest of its topic must still have reached everybody. */
function isNewestEverywhere(
  arrivals: Arrivals,
  connections: number,
  topics: number,
  sent: number,
): boolean {
  for (let connection = 0; connection < connections; connection++) {
    const topic = connection % topics;
    const newest = sent - 1 - ((((sent - 1 - topic) % topics) + topics) % topics);
    if (newest >= 0 && arrivals.newestOf(connection) < newest) return false;
  }
  return true;
}
