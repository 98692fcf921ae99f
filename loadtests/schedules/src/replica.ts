import { type Bus, type BusLogger, busOver } from "@localstreet/bus/connection";
import { openSubjectFeed, type SubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog, type SubjectLog } from "@localstreet/bus/subject-log";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import type { ProjectionStore } from "@localstreet/db/projection-store";
import { startOrderProjection } from "@localstreet/notification-sse/record/order-projection";
import { createFollowers, type Followers } from "@localstreet/notification-sse/stream/follower";
import { createVendorFrames } from "@localstreet/notification-sse/stream/vendor-frames";
import { Registry } from "prom-client";
import type { ModelConnection } from "./model/model-connection.ts";
import type { NatsModel } from "./model/nats-model.ts";
import type { Setting } from "./schedule.ts";

let holders = 0;

/** What a process that was killed asks of a store is not heard. */
function whileAlive(store: ProjectionStore, isAlive: () => boolean): ProjectionStore {
  return new Proxy(store, {
    get(target, name) {
      const method = target[name as keyof ProjectionStore] as (...args: unknown[]) => unknown;
      return async (...args: unknown[]) => {
        if (!isAlive()) throw Object.assign(new Error("killed"), { retryable: true });
        return await method.apply(target, args);
      };
    },
  });
}

/** One replica of notification-sse, as far as it follows the log: the service's own code, over a modelled connection. */
export interface Replica {
  /** The live one, and the one for histories. */
  readonly connections: readonly ModelConnection[];
  readonly log: SubjectLog;
  readonly feed: SubjectFeed;
  readonly followers: Followers;
  /** Ends without a word: its lease of the record stays. */
  kill(): void;
}

const DEADLINES = {
  ...{ remindAfterMs: 30_000, remindEveryMs: 30_000, escalateAfterMs: 120_000 },
  ...{ nobodyAfterMs: 10_000, expireAfterMs: 600_000 },
};
export const RECORD_SETTINGS = {
  ...{ tickMs: 1_000, leaseMs: 5_000, eventsAtOnce: 3, gatherMs: 50, checkpointEvents: 2 },
};

export function openReplica(options: {
  model: NatsModel;
  setting: Setting;
  name: string;
  /** Where the log is projected to, by one of the replicas. */
  record: ProjectionStore | null;
  /** A bug: nothing that happens to a connection or a log is one. */
  onError: (error: unknown) => void;
}): { readonly connections: readonly ModelConnection[]; readonly ready: Promise<Replica> } {
  const { model, setting } = options;
  const live = model.connect();
  const history = model.connect();
  const connections = [live, history];
  const logger: BusLogger = {
    info() {},
    warn() {},
    error: (fields) => options.onError((fields as { err?: unknown }).err),
  };

  async function open(): Promise<Replica> {
    const busOptions = { user: "notification-sse", logger };
    const bus = await busOver(live.nats, busOptions);
    const bulk = await busOver(history.nats, busOptions);
    const log = await openSubjectLog(bus, VENDOR_STREAM, bulk);
    const { tailCheckMs, memoryEvents, keepMs } = setting;
    const feed = openSubjectFeed({
      ...{ bus, log, logger, tailCheckMs },
      recent: { events: memoryEvents, keepMs },
    });
    const frames = createVendorFrames({ metrics: new Registry() });
    const followers = createFollowers({ log, feed, frames, atOnce: 2, patienceMs: 5_000 });
    const stopRecord = options.record ? startRecord(bulk, log, options.record) : () => {};
    return {
      ...{ connections, log, feed, followers },
      kill() {
        feed.close();
        stopRecord();
      },
    };
  }

  function startRecord(bus: Bus, log: SubjectLog, record: ProjectionStore): () => void {
    let isDead = false;
    const projection = startOrderProjection({
      ...{ bus, log, logger, deadlines: DEADLINES, settings: RECORD_SETTINGS },
      holder: `${options.name} ${holders++}`,
      store: whileAlive(record, () => !isDead),
      metrics: { applied() {}, standAside() {}, foreign() {}, setAside() {} },
    });
    return () => {
      isDead = true;
      projection.stop().catch(options.onError);
    };
  }

  return { connections, ready: open() };
}
