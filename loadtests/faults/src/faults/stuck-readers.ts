import { connect, type Socket } from "node:net";
import type { Order } from "@localstreet/contracts/order";
import type { Fault } from "../fault.ts";
import { freshId, makeOrder, postOrder } from "../marketplace.ts";
import { sumMetric } from "../replica-metrics.ts";
import type { Stage } from "../stage.ts";

const READERS = 6;
/** About 15 kB each; a loopback connection holds some 20 MB before its writer has to wait. */
const MOST_ORDERS = 4_000;
const AT_A_TIME = 8;
/** Of both replicas together: what they need for the orders themselves, and 1 MiB for each reader. */
const GROWTH_MB = 150;

export const stuckReaders: Fault = {
  name: "stuck-readers",
  harm: `${READERS} streams of one vendor are opened and never read, while the vendor gets large orders`,
  promise:
    "they are cut off at the outbox's limit of 1 MiB; memory stays bounded; others are not harmed",
  async run(stage) {
    const { platform, url, check, note } = stage;
    const services = stage.replicasOf("notification-sse");
    const memory = () => sumMetric(services, "process_resident_memory_bytes");
    const cutCount = () => sumMetric(services, "localstreet_streams_cut_total");
    const vendorId = freshId("vendor");
    const readers = await Promise.all(
      Array.from({ length: READERS }, () => openStuckReader(stage, vendorId)),
    );
    const cutBefore = await cutCount();
    const memoryBefore = await memory();
    let peak = memoryBefore;
    let orders = 0;
    let cut = 0;
    while (orders < MOST_ORDERS && cut < READERS) {
      const batch = Array.from({ length: AT_A_TIME }, () => largeOrder());
      await Promise.all(batch.map((order) => postOrder(platform, url, vendorId, order)));
      orders += batch.length;
      if (orders % 80 !== 0) continue;
      cut = (await cutCount()) - cutBefore;
      peak = Math.max(peak, await memory());
    }
    for (const reader of readers) reader.destroy();
    check("all of them are cut off", cut >= READERS, `${cut} of ${READERS} after ${orders} orders`);
    const grown = Math.round((peak - memoryBefore) / 1024 ** 2);
    check(`services grow by less than ${GROWTH_MB} MB`, grown < GROWTH_MB, `${grown} MB`);
    note("streams only: chats and watches that do not read are left to the services' own tests");
  },
};

async function openStuckReader({ platform }: Stage, vendorId: string): Promise<Socket> {
  const { hostname, port } = new URL(platform.url);
  const staff = { role: "vendor", sub: `staff-of-${vendorId}`, vendors: [vendorId] } as const;
  const token = await platform.signToken(staff);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => {});
  socket.write(
    `GET /api/vendor/${vendorId}/notifications/stream HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\n\r\n`,
  );
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("a reader does not get in")), 10_000);
    socket.on("data", (chunk) => {
      if (!chunk.includes("event: resume")) return;
      clearTimeout(late);
      socket.pause();
      resolve();
    });
  });
  return socket;
}

function largeOrder(): Order {
  const order = makeOrder(freshId("order"));
  const item = { name: "x".repeat(200), quantity: 1, unitPrice: 1 };
  return { ...order, items: Array.from({ length: 60 }, () => item) };
}
