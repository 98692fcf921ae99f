import { connectBus } from "@localstreet/bus/connection";
import { ensureStreams } from "@localstreet/bus/streams";
import {
  LIVE_PREFIX,
  VENDOR_STREAM,
  VENDOR_STREAM_SUBJECTS,
} from "@localstreet/contracts/subjects";
import type { TestStores } from "@localstreet/testkit/stores";
import { connect } from "@nats-io/transport-node";
import type { LogBackup } from "../src/model/log-model.ts";
import { NatsModel } from "../src/model/nats-model.ts";
import { startPump } from "./pump.ts";
import { restoreSnapshot, type Snapshot, takeSnapshot } from "./snapshots.ts";
import { Target } from "./target.ts";

const HOUR_MS = 3_600_000;

/** A stream of a real server, new and empty, and a model of it. */
export async function openBoth(
  stores: TestStores<{ nats: true }>,
  settings: { maxAgeMs?: number; duplicateWindowMs?: number } = {},
) {
  const { maxAgeMs = HOUR_MS, duplicateWindowMs = HOUR_MS } = settings;
  const admin = await connectBus({ ...stores.nats.as("admin"), name: "admin" });
  const { user, password } = stores.nats.as("admin");
  const nats = await connect({ servers: stores.nats.url, user, pass: password });
  const streams = {
    vendorMaxAgeSeconds: maxAgeMs / 1_000,
    duplicateWindowSeconds: duplicateWindowMs / 1_000,
  };

  async function createOnServer(): Promise<string> {
    await nats.request(`$JS.API.STREAM.DELETE.${VENDOR_STREAM}`);
    await ensureStreams(admin, streams);
    const info = await nats.request(`$JS.API.STREAM.INFO.${VENDOR_STREAM}`);
    const { config } = info.json<{ config: { description: string } }>();
    return config.description.slice("epoch:".length);
  }

  let nowMs = Date.now();
  const model = new NatsModel({
    stream: VENDOR_STREAM,
    subjects: VENDOR_STREAM_SUBJECTS,
    livePrefix: LIVE_PREFIX,
    epoch: await createOnServer(),
    maxAgeMs,
    duplicateWindowMs,
    nowMs: () => nowMs,
  });
  const connection = model.connect();
  const pump = startPump(connection);
  const real = await Target.open(nats);
  const modelled = await Target.open(connection.nats);
  return {
    model,
    nats,
    real,
    modelled,
    connection,
    /** The model's clock; the real one is waited for. */
    passTime(ms: number) {
      nowMs += ms;
      model.tick();
    },
    async makeAnew() {
      model.log.makeAnew(await createOnServer());
    },
    async backup() {
      return { snapshot: await takeSnapshot(nats), backup: model.log.backup() };
    },
    async restore({ snapshot, backup }: { snapshot: Snapshot; backup: LogBackup }) {
      await restoreSnapshot(nats, snapshot);
      model.log.restore(backup);
    },
    async [Symbol.asyncDispose]() {
      pump.stop();
      await Promise.all([real.close(), admin.close()]);
    },
  };
}
