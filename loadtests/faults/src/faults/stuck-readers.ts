import { connect, type Socket } from "node:net";
import { openBackend } from "@localstreet/oracle/backend";
import type { Fault } from "../fault.ts";
import { startPace } from "../pace.ts";
import { sumMetric } from "../replica-metrics.ts";
import type { Stage } from "../stage.ts";
import { timeUntil } from "../wait.ts";

const READERS = 200;
const LOAD = { vendors: 2, devices: 100, ordersPerSecond: 4, hasAllPaths: false } as const;
const HEALTHY = LOAD.vendors * LOAD.devices;
const STUCK_MS = 60_000;
/**
 * Large orders at each vendor, about 15 kB each. The kernel holds some 4 MB of a connection before its writer has to
 * wait, so that a reader fills its outbox in about forty seconds.
 */
const LARGE_PER_SECOND = 8;
const KNOCK_MS = 1_000;
/** For each stuck reader, its outbox of 1 MiB and what else it costs; of both replicas together. */
const GROWTH_MB = READERS * 1.25;

export const stuckReaders: Fault = {
  name: "stuck-readers",
  harm: `${READERS} streams are opened and never read, for ${STUCK_MS / 1_000} s, while their vendors get ${LARGE_PER_SECOND} large orders a second each; what is cut off comes back with its old id, and is stuck again`,
  promise: `they are cut off at the outbox's limit of 1 MiB; memory stays bounded; ${HEALTHY} healthy streams of the same vendors get everything`,
  load: LOAD,
  async run(stage) {
    const { load, check, note } = stage;
    const services = stage.replicasOf("notification-sse");
    const memory = () => sumMetric(services, "process_resident_memory_bytes");
    const cutCount = () => sumMetric(services, "localstreet_streams_cut_total");
    const stuck = await openStuckReaders(stage);
    const before = { memory: await memory(), cut: await cutCount() };
    const backend = openBackend({ target: load.target, ledgers: [load.ledgers.orders] });
    const pace = startPace(1_000 / (LARGE_PER_SECOND * LOAD.vendors), (n) =>
      backend.postOrder({ vendorId: load.vendorIds[n % LOAD.vendors] ?? "", items: LARGE }),
    );
    let peak = before.memory;
    const open: number[] = [];
    const startedAtMs = performance.now();
    await timeUntil(
      async () => {
        peak = Math.max(peak, await memory());
        open.push(stuck.open);
        return performance.now() - startedAtMs >= STUCK_MS;
      },
      STUCK_MS * 2,
      1_000,
    );
    await pace.stop();
    const cut = (await cutCount()) - before.cut;
    stuck.leave();
    check("every one is cut off", cut >= READERS, `${cut} cuts of ${READERS} readers`);
    const grown = (peak - before.memory) / 1024 ** 2;
    check(
      `services grow by less than ${GROWTH_MB} MB`,
      grown < GROWTH_MB,
      `${grown.toFixed(0)} MB`,
    );
    const mean = open.reduce((sum, count) => sum + count, 0) / open.length;
    note(
      `${((grown * 1024) / READERS).toFixed(0)} KB for each stuck reader at most, all growth of both replicas counted; ${mean.toFixed(0)} of them stuck on average; ${backend.counts.accepted} large orders`,
    );
    const p99 = load.ledgers.orders.receiveMs.percentiles()?.p99;
    note(`p99 of the ${HEALTHY} healthy streams: ${p99?.toFixed(0)} ms`);
    note("streams only: chats and watches that do not read are left to the services' own tests");
  },
};

const LARGE = Array.from({ length: 60 }, () => ({
  name: "x".repeat(200),
  quantity: 1,
  unitPrice: 1,
}));

interface StuckReaders {
  /** Those that are connected now. */
  readonly open: number;
  leave(): void;
}

/** Straight to the replicas, half to each: the gateway's buffers would have to be filled as well. */
async function openStuckReaders(stage: Stage): Promise<StuckReaders> {
  const { platform, load } = stage;
  const services = stage.replicasOf("notification-sse");
  const sockets = new Set<Socket>();
  let hasLeft = false;
  const tokens = await Promise.all(
    load.vendorIds.map((vendorId) =>
      platform.signToken({ role: "vendor", sub: `stuck-${vendorId}`, vendors: [vendorId] }),
    ),
  );

  function open(n: number, lastEventId?: string): Promise<void> {
    const which = n % load.vendorIds.length;
    const { hostname, port, host } = new URL(services[(n >> 1) % services.length]?.url ?? "");
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => {});
    const head = [
      `GET /api/vendor/${load.vendorIds[which]}/notifications/stream HTTP/1.1`,
      `Host: ${host}`,
      `Authorization: Bearer ${tokens[which]}`,
      "Accept: text/event-stream",
      ...(lastEventId === undefined ? [] : [`Last-Event-ID: ${lastEventId}`]),
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("a reader does not get in")), 15_000);
      let heard = "";
      socket.on("data", (chunk) => {
        heard += chunk.toString("latin1");
        const id = /^id: (\S+)\n(?:.+\n)*?event: resume|event: resume\n(?:.+\n)*?id: (\S+)/m.exec(
          heard,
        );
        if (!id) return;
        clearTimeout(late);
        socket.pause();
        socket.removeAllListeners("data");
        sockets.add(socket);
        socket.once("close", () => {
          sockets.delete(socket);
          if (!hasLeft) void open(n, id[1] ?? id[2]).catch(() => {});
        });
        resolve();
      });
    });
  }

  await Promise.all(Array.from({ length: READERS }, (_, n) => open(n)));
  // Who does not read does not notice either that it was cut off, but by writing: an empty line before a next request.
  const knocking = setInterval(() => {
    for (const socket of sockets) socket.write("\r\n");
  }, KNOCK_MS);
  return {
    get open() {
      return sockets.size;
    },
    leave() {
      hasLeft = true;
      clearInterval(knocking);
      for (const socket of sockets) socket.destroy();
    },
  };
}
