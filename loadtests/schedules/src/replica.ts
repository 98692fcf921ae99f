import { type BusLogger, busOver } from "@localstreet/bus/connection";
import { openSubjectFeed, type SubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog, type SubjectLog } from "@localstreet/bus/subject-log";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { createFollowers, type Followers } from "@localstreet/notification-sse/stream/follower";
import { createVendorFrames } from "@localstreet/notification-sse/stream/vendor-frames";
import { Registry } from "prom-client";
import type { ModelConnection } from "./model/model-connection.ts";
import type { NatsModel } from "./model/nats-model.ts";
import type { Setting } from "./schedule.ts";

/** One replica of notification-sse, as far as it follows the log: the service's own code, over a modelled connection. */
export interface Replica {
  /** The live one, and the one for histories. */
  readonly connections: readonly ModelConnection[];
  readonly log: SubjectLog;
  readonly feed: SubjectFeed;
  readonly followers: Followers;
  stop(): void;
}

export function openReplica(options: {
  model: NatsModel;
  setting: Setting;
  name: string;
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
    return { connections, log, feed, followers, stop: () => feed.close() };
  }

  return { connections, ready: open() };
}
