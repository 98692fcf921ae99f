// How fast one Node process publishes to JetStream with nothing around it: 500 publishes on their way, each acknowledged.
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const IN_FLIGHT = 500;
const { NATS_URL, NATS_USER, NATS_PASSWORD, VENDOR, SECONDS } = process.env;
const nats = await connect({
  servers: NATS_URL ?? "",
  user: NATS_USER ?? "",
  pass: NATS_PASSWORD ?? "",
});
const js = jetstream(nats);
let number = 0;
let acknowledged = 0;
let isOver = false;

async function publishOn(): Promise<void> {
  while (!isOver) {
    const orderId = `loop-${number++}`;
    const body = JSON.stringify({
      orderId,
      buyerId: "ada",
      items: [{ name: "Cardamom bun", quantity: 2, unitPrice: 3500 }],
      total: 7000,
      currency: "SEK",
      vendorId: VENDOR,
      placedAt: new Date().toISOString(),
    });
    const msgID = `${VENDOR}:new-order:${orderId}`;
    await js.publish(`vendor.${VENDOR}.orders`, body, { msgID });
    acknowledged++;
  }
}

const loops = Array.from({ length: IN_FLIGHT }, publishOn);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
await sleep(500);
acknowledged = 0;
const cpu = process.cpuUsage();
const startedAtMs = performance.now();
await sleep(Number(SECONDS) * 1_000);
const delivered = acknowledged;
const seconds = (performance.now() - startedAtMs) / 1_000;
const { user, system } = process.cpuUsage(cpu);
isOver = true;
await Promise.all(loops);
process.stdout.write(
  `${JSON.stringify({
    delivered,
    deliveredPerSecond: delivered / seconds,
    cpuMicrosEach: (user + system) / delivered,
  })}\n`,
);
await nats.close();
