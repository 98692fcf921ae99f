import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectBus } from "@localstreet/bus/connection";
import { readStreamLeader } from "@localstreet/bus/stream-administration";
import { ensureStreams } from "@localstreet/bus/streams";
import {
  LIVE_PREFIX,
  VENDOR_STREAM,
  VENDOR_STREAM_SUBJECTS,
} from "@localstreet/contracts/subjects";
import { createPasswords } from "@localstreet/stores/credentials";
import { startNatsCluster } from "@localstreet/stores/nats-cluster";
import { until } from "@localstreet/testkit/wait";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { NatsModel } from "../src/model/nats-model.ts";
import { startPump } from "./pump.ts";
import { seenMessage } from "./recorded.ts";

const NODES = 3;
const bakery = "vendor.bakery.orders";
/** Enough to catch up with for a while. */
const BODY = Buffer.alloc(8 * 1_024, "x");
const BEFORE = 4;
const LAST = 200;
const lastOfBakery = JSON.stringify({ last_by_subj: bakery });
const QUERIES = [
  ...[{ seq: 3 }, { seq: LAST - 2 }, { last_by_subj: ">" }, { seq: 2, next_by_subj: bakery }].map(
    (query) => JSON.stringify(query),
  ),
  lastOfBakery,
];

/** What a direct get answers, without the time of the clock. */
async function readDirect(nats: NatsConnection, query: string): Promise<string> {
  const message = await nats.request(`$JS.API.DIRECT.GET.${VENDOR_STREAM}`, query, {
    timeout: 5_000,
  });
  const { block, data } = seenMessage(message);
  return `${block.replace(/Nats-Time-Stamp: [^\r]*/, "Nats-Time-Stamp: -")}${data.length}`;
}

test("a follower that lags answers what the model's follower answers with one lag or another", async () => {
  const dir = await mkdtemp(join(tmpdir(), "localstreet-model-"));
  const passwords = createPasswords();
  const nodes = await startNatsCluster({ dir, nodes: NODES, passwords });
  const account = nodes[0].as("admin");
  const admin = await connectBus({ ...account, name: "admin", requestTimeoutMs: 15_000 });
  try {
    await until(
      () =>
        ensureStreams(admin, { replicas: NODES }).then(
          () => true,
          () => false,
        ),
      { what: "the streams are there", timeoutMs: 30_000 },
    );
    const leader = await readStreamLeader(admin, VENDOR_STREAM);
    const [late, other] = nodes.filter(({ name }) => name !== leader);
    if (!late || !other) throw new Error("no follower");
    const { user, password } = account;
    const nats = await connect({ servers: other.url, user, pass: password });
    // A node answers its own clients' direct gets itself.
    const byLate = await connect({ servers: late.url, user, pass: password });
    const model = new NatsModel({
      stream: VENDOR_STREAM,
      subjects: VENDOR_STREAM_SUBJECTS,
      livePrefix: LIVE_PREFIX,
      epoch: "aaaaaaaa",
      maxAgeMs: 3_600_000,
      duplicateWindowMs: 3_600_000,
      nowMs: () => Date.now(),
    });
    const connection = model.connect();
    const pump = startPump(connection);

    /** In order: all go over one connection. */
    async function publish(from: number, until: number): Promise<void> {
      const orderIds = Array.from({ length: until - from + 1 }, (_, index) => `o-${from + index}`);
      const acks = await Promise.all(
        orderIds.map((orderId) => {
          const fields = headers();
          fields.set("Nats-Msg-Id", orderId);
          return nats.request(bakery, BODY, { headers: fields, timeout: 15_000 });
        }),
      );
      const stored = orderIds.map((messageId) =>
        model.log.publish({ subject: bakery, messageId, data: BODY }),
      );
      expect(acks.map((ack) => ack.json<{ seq: number }>().seq)).toEqual(
        stored.map(({ seq }) => seq),
      );
    }

    await publish(1, BEFORE);
    late.freeze();
    await publish(BEFORE + 1, LAST);
    const removal = JSON.stringify({ seq: 3 });
    await nats.request(`$JS.API.STREAM.MSG.DELETE.${VENDOR_STREAM}`, removal, { timeout: 15_000 });
    model.log.delete(3);
    const said = new Map(QUERIES.map((query) => [query, new Set<string>()]));
    const askAll = () =>
      Promise.all(
        QUERIES.map(async (query) => said.get(query)?.add(await readDirect(byLate, query))),
      );
    // They wait in the node's socket, and some are answered before it has caught up.
    const early = Array.from({ length: 40 }, askAll);
    late.thaw();
    await Promise.all(early);
    await until(
      async () => {
        await askAll();
        return [...(said.get(lastOfBakery) ?? [])].join().includes(`Nats-Msg-Id: o-${LAST}\r`);
      },
      { what: "the follower has caught up", timeoutMs: 20_000 },
    );

    model.readsFromFollower = true;
    const possible = new Map(QUERIES.map((query) => [query, new Set<string>()]));
    for (let lag = model.followerLag; lag >= 0; lag--) {
      for (const query of QUERIES) {
        possible.get(query)?.add(await readDirect(connection.nats, query));
      }
      model.catchUp(1);
    }
    expect(model.followerLag).toBe(0);
    for (const query of QUERIES) {
      const answers = [...(said.get(query) ?? [])];
      for (const answer of answers) expect([...(possible.get(query) ?? [])]).toContain(answer);
    }
    pump.stop();
    await Promise.all([nats.close(), byLate.close()]);
  } finally {
    for (const node of nodes) node.thaw();
    await admin.close();
    await Promise.all(nodes.map((node) => node.stop()));
    await rm(dir, { recursive: true, force: true });
  }
}, 60_000);
