import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openLogReader } from "@localstreet/bus/log-reader";
import { OPS_STREAM } from "@localstreet/contracts/subjects";
import { openBackend } from "@localstreet/oracle/backend";
import { orderKey } from "@localstreet/oracle/ledger";
import { lifeEvent } from "@localstreet/oracle/order-life";
import { openShopDesk, RINGS } from "@localstreet/oracle/shop-desk";
import { openAdminBus } from "../admin-bus.ts";
import type { Fault } from "../fault.ts";
import { sendToRedis } from "../redis-command.ts";
import { readMetric, sumMetric } from "../replica-metrics.ts";
import type { Stage } from "../stage.ts";
import { timeUntil } from "../wait.ts";

const REMIND_EVERY_MS = 3_000;
const ESCALATE_AFTER_MS = 8_000;
const EXPIRE_AFTER_MS = 20_000;
const RINGING = 120;
const PLACE_EVERY_MS = 100;
/** Every third is answered after a time of up to this, some of them at the moment at which a deadline fires. */
const ANSWERED_WITHIN_MS = 12_000;
const POSTGRES_DOWN_MS = 3_000;
/** After the last expiry is due: a replica that died keeps the projection for five seconds. */
const LATE_MS = 20_000;
const DISPUTED = 200;
/** Disputes under way at a time. */
const DISPUTES = 8;

const FIRED = "localstreet_order_deadlines_total";

export const killMidDeadline: Fault = {
  name: "kill-mid-deadline",
  harm: `${RINGING} orders ring; kill -9 of the replica that fires their deadlines while it does, FLUSHALL, kill -9 of Postgres for ${POSTGRES_DOWN_MS / 1_000} s, kill -9 of the other replica; then ${DISPUTED} orders are accepted and rejected in the same moment, on two replicas`,
  promise:
    "each reminder, escalation and expiry once by event id, for the operators too; an answered order rings no more; of two answers one wins, and the other is told which",
  load: { vendors: 4, devices: 2, ordersPerSecond: 4, hasAllPaths: false },
  env: {
    ORDER_REMIND_AFTER_MS: String(REMIND_EVERY_MS),
    ORDER_REMIND_EVERY_MS: String(REMIND_EVERY_MS),
    ORDER_ESCALATE_AFTER_MS: String(ESCALATE_AFTER_MS),
    ORDER_EXPIRE_AFTER_MS: String(EXPIRE_AFTER_MS),
  },
  async run(stage) {
    const ringing = await ringUnderFire(stage);
    await checkDeadlines(stage, ringing);
    await dispute(stage);
  },
};

interface Placed {
  readonly vendorId: string;
  readonly orderId: string;
}

/** @returns the orders that nobody answered. */
async function ringUnderFire(stage: Stage): Promise<readonly Placed[]> {
  const { load, note } = stage;
  const { target, vendorIds } = load;
  const ledger = load.ledgers.orders;
  const backend = openBackend({ target, ledgers: [ledger] });
  const desks = new Map(
    vendorIds.map((vendorId) => [vendorId, openShopDesk({ target, ledger, vendorId })]),
  );
  const ringing: Placed[] = [];
  const work: Promise<unknown>[] = [];
  const harming = harm(stage);
  for (let n = 0; n < RINGING; n++) {
    const vendorId = vendorIds[n % vendorIds.length] ?? "";
    const isAnswered = n % 3 === 2;
    const orderId = `${isAnswered ? "answered" : RINGS}${randomUUID()}`;
    const desk = desks.get(vendorId);
    const posted = backend.postOrder({ vendorId, orderId });
    if (isAnswered) {
      const answered = posted
        .then(() => sleep(Math.random() * ANSWERED_WITHIN_MS))
        .then(() => desk?.answer(orderId, ["accepted"]));
      work.push(answered);
    } else {
      ringing.push({ vendorId, orderId });
      // Which reminders are left out is not told before.
      desk?.letRing(orderId, 0);
      work.push(posted);
    }
    if (n % 20 === 0) work.push(...[...desks.values()].map(({ readSnapshot }) => readSnapshot()));
    await sleep(PLACE_EVERY_MS);
  }
  await Promise.all([...work, harming]);
  note(`${ringing.length} orders rang, ${RINGING - ringing.length} were answered while they did`);
  return ringing;
}

async function harm(stage: Stage): Promise<void> {
  const { platform, say } = stage;
  const replicas = stage.replicasOf("notification-sse");
  const fired = async () =>
    await Promise.all(replicas.map(async (replica) => (await readMetric(replica, FIRED)) ?? 0));
  const before = await fired();
  let busiest = 0;
  // The first of them to fire is the one that is in the middle of it.
  await timeUntil(
    async () => {
      const grown = (await fired()).map((count, index) => count - (before[index] ?? 0));
      busiest = grown.indexOf(Math.max(...grown));
      return Math.max(...grown) > 0;
    },
    15_000,
    5,
  );
  const [first, other] = busiest === 0 ? replicas : [...replicas].reverse();
  if (!first || !other) throw new Error("two replicas are needed");
  await first.kill("SIGKILL");
  say(`    ${first.name} was killed while it fired`);
  await sleep(2_000);
  await sendToRedis(platform.stores.redis.url("admin"), "FLUSHALL");
  platform.hold("postgres");
  await platform.stores.postgres.kill("SIGKILL");
  await sleep(POSTGRES_DOWN_MS);
  await platform.stores.postgres.start();
  platform.release("postgres");
  await sleep(2_000);
  await other.kill("SIGKILL");
  say(`    ${other.name} was killed`);
}

/** What each ringing order is owed: a reminder at least, the escalation, the expiry. That none comes twice is the judge's. */
async function checkDeadlines(stage: Stage, ringing: readonly Placed[]): Promise<void> {
  const { load, check, checkWithin, note } = stage;
  const ledger = load.ledgers.orders;
  const isTold = ({ vendorId, orderId }: Placed, name: string) =>
    ledger.wasTold(lifeEvent(vendorId, orderKey(vendorId, orderId), name));
  const limitMs = EXPIRE_AFTER_MS + LATE_MS;
  const ended = () => ringing.every((order) => isTold(order, "outcome"));
  checkWithin("every one expires", await timeUntil(ended, limitMs, 100), limitMs);
  const remindersOf = (order: Placed) =>
    Array.from({ length: EXPIRE_AFTER_MS / REMIND_EVERY_MS }, (_, n) => `reminder:${n + 1}`).filter(
      (name) => isTold(order, name),
    ).length;
  const reminders = ringing.map(remindersOf);
  const reminded = reminders.filter((count) => count > 0).length;
  check(
    "every one is reminded of",
    reminded === ringing.length,
    `${reminded} of ${ringing.length}`,
  );
  const escalated = ringing.filter((order) => isTold(order, "escalated")).length;
  check("every one is escalated", escalated === ringing.length, `${escalated}`);
  const sum = reminders.reduce((all, count) => all + count, 0);
  const counted = await sumMetric(stage.replicasOf("notification-sse"), FIRED);
  note(`${sum} reminders of them; ${counted} deadlines fired by the replicas since they started`);
  const operators = await countEscalations(stage);
  const theirs = ringing.map(({ vendorId, orderId }) => operators.get(`${vendorId} ${orderId}`));
  const once = theirs.filter((times) => times === 1).length;
  check("the operators are told once of each", once === ringing.length, `${once}`);
}

/** How often the operators' stream holds each order. */
async function countEscalations({ platform }: Stage): Promise<ReadonlyMap<string, number>> {
  const bus = await openAdminBus(platform);
  const reader = openLogReader(bus, OPS_STREAM, { afterSequence: 0, batch: 500 });
  const times = new Map<string, number>();
  try {
    for (let atEnd = false; !atEnd; ) {
      const page = await reader.next(1_000);
      for (const { data } of page.events) {
        const { vendorId, orderId } = JSON.parse(Buffer.from(data).toString());
        const key = `${vendorId} ${orderId}`;
        times.set(key, (times.get(key) ?? 0) + 1);
      }
      atEnd = page.atEnd || page.events.length === 0;
    }
  } finally {
    reader.close();
    await bus.close();
  }
  return times;
}

/** Two devices, each on a replica of its own, answer the same order differently in the same moment. */
async function dispute(stage: Stage): Promise<void> {
  const { load, check } = stage;
  const ledger = load.ledgers.orders;
  const backend = openBackend({ target: load.target, ledgers: [ledger] });
  const targets = stage.replicasOf("notification-sse").map(({ url }) => stage.targetAt(url));
  const outcomes: (readonly (string | null)[])[] = [];
  let left = DISPUTED;
  const disputes = Array.from({ length: DISPUTES }, async () => {
    while (left > 0) {
      left -= 1;
      const vendorId = load.vendorIds[left % load.vendorIds.length] ?? "";
      const orderId = `disputed-${randomUUID()}`;
      await backend.postOrder({ vendorId, orderId });
      const desk = openShopDesk({ target: load.target, targets, ledger, vendorId });
      // Neither of the replicas always has the same answer, nor the first request.
      const answers = ["accepted", "rejected"] as const;
      outcomes.push(await desk.answer(orderId, left % 2 === 0 ? answers : answers.toReversed()));
    }
  });
  await Promise.all(disputes);
  const agreed = outcomes.filter(
    ([one, other]) => one === other && (one === "accepted" || one === "rejected"),
  );
  const accepted = agreed.filter(([one]) => one === "accepted").length;
  check(
    "of two answers one wins, and both are told which",
    agreed.length === DISPUTED,
    `${agreed.length} of ${DISPUTED}: ${accepted} accepted, ${agreed.length - accepted} rejected`,
  );
}
