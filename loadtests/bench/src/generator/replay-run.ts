import { Arrivals } from "./arrivals.ts";
import { Histogram } from "./histogram.ts";
import { measureOwnShare } from "./own-cost.ts";
import { openPublisher } from "./publisher.ts";
import type { Figures, ReplaySpec } from "./specs.ts";
import { closeAll, openSubscribers } from "./subscribers.ts";
import { newRunName } from "./template.ts";

const IN_FLIGHT = 200;
const TIMEOUT_MS = 30_000;

/** Measures how fast live events reach streams, and how fast streams that come later read the same from history. */
export async function runReplay(
  spec: ReplaySpec,
  gate: (at: "begin" | "end") => Promise<void>,
): Promise<Figures> {
  const run = newRunName();
  const { marker, events } = spec;
  const { connections } = spec.subscribers;
  const others = await openOthers(spec, run);
  const publisher = await openPublisher(spec.publisher, spec.body, run);
  const live = new Arrivals(connections);
  const liveStreams = await openSubscribers(spec.subscribers, {
    run,
    marker,
    onNumber: (connection, number) => live.accept(connection, number),
  });
  let replayed: Awaited<ReturnType<typeof openSubscribers>> = [];
  try {
    await others.calm(spec.windowMs);
    const calmP99Ms = others.newLatencies().percentileMs(99);

    const liveStartedAtMs = performance.now();
    const liveUntil = liveStartedAtMs + TIMEOUT_MS;
    for (let number = 0; number < events; ) {
      if (publisher.unacknowledged() < IN_FLIGHT)
        publisher.publish([{ topic: 0, number: number++ }]);
      else await nextTurn();
    }
    while (live.counts.delivered < events * connections && performance.now() < liveUntil) {
      await nextTurn();
    }
    const liveSeconds = (performance.now() - liveStartedAtMs) / 1_000;
    closeAll(liveStreams);
    others.newLatencies();

    const history = new Arrivals(connections);
    await gate("begin");
    const share = measureOwnShare();
    const startedAtMs = performance.now();
    const until = startedAtMs + TIMEOUT_MS;
    replayed = await openSubscribers(spec.subscribers, {
      run,
      marker,
      onNumber: (connection, number) => history.accept(connection, number),
      lastEventIds: liveStreams.map((stream) => stream.lastEventId),
    });
    while (history.counts.delivered < events * connections && performance.now() < until) {
      await nextTurn();
    }
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const generatorShare = share();
    await gate("end");
    const busyP99Ms = others.newLatencies().percentileMs(99);
    return {
      delivered: history.counts.delivered,
      livePerSecond: live.counts.delivered / liveSeconds,
      replayPerSecond: history.counts.delivered / seconds,
      lost: events * connections * 2 - live.counts.delivered - history.counts.delivered,
      duplicated: live.counts.duplicated + history.counts.duplicated,
      outOfOrder: live.counts.outOfOrder + history.counts.outOfOrder,
      calmP99Ms,
      // A replay that is over before the others got anything has not slowed them.
      busyP99Ms: Number.isNaN(busyP99Ms) ? calmP99Ms : busyP99Ms,
      generatorShare,
    };
  } finally {
    others.stop();
    publisher.close();
    closeAll([...liveStreams, ...replayed]);
  }
}

/** Streams that have nothing to do with the replay. */
async function openOthers(spec: ReplaySpec, run: string) {
  let latencies = new Histogram();
  const sentAtMs = new Map<number, number>();
  const streams = await openSubscribers(spec.others, {
    run,
    marker: spec.marker,
    onNumber(_connection, number) {
      const sent = sentAtMs.get(number);
      if (sent !== undefined) latencies.add(performance.now() - sent);
    },
  });
  const publisher = await openPublisher(spec.othersPublisher, spec.body, run);
  let number = 50_000_000;
  const timer = setInterval(() => {
    sentAtMs.set(number, performance.now());
    publisher.publish([{ topic: 0, number: number++ }]);
  }, 1_000 / spec.othersPerSecond);
  return {
    calm: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
    /** Those until now; new ones begin. */
    newLatencies() {
      const until = latencies;
      latencies = new Histogram();
      return until;
    },
    stop() {
      clearInterval(timer);
      publisher.close();
      closeAll(streams);
    },
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
