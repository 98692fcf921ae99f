import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { startTestStores, type TestStores } from "@localstreet/testkit/stores";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBoth } from "./both.ts";

// What random commands do not reach: ages, a stream that is away, a connection that is cut.

let stores: TestStores<{ nats: true }>;
beforeAll(async () => {
  stores = await startTestStores({ nats: true });
});
afterAll(() => stores?.stop());

type Both = Awaited<ReturnType<typeof openBoth>>;

/** The same question to both; their answers are equal. */
async function askBoth(
  { real, modelled }: Both,
  subject: string,
  body = "",
  id?: string,
  silenceMs?: number,
) {
  const fields = id === undefined ? {} : { "Nats-Msg-Id": id };
  const [said, wanted] = await Promise.all([
    real.ask(subject, body, fields, silenceMs),
    modelled.ask(subject, body, fields, silenceMs),
  ]);
  expect(said, `${subject} ${body} ${id ?? ""}`).toEqual(wanted);
  return said;
}

const api = (path: string) => `$JS.API.${path}`;
const bakery = "vendor.bakery.orders";
const florist = "vendor.florist.orders";

async function askState(both: Both) {
  const body = JSON.stringify({ deleted_details: true });
  await askBoth(both, api(`STREAM.INFO.${VENDOR_STREAM}`), body);
  for (const filter of [">", bakery, florist]) {
    const query = JSON.stringify({ last_by_subj: filter });
    await askBoth(both, api(`STREAM.MSG.GET.${VENDOR_STREAM}`), query);
    await askBoth(both, api(`DIRECT.GET.${VENDOR_STREAM}`), query);
  }
}

async function createConsumer(both: Both, name: string) {
  const config = {
    name,
    deliver_policy: "by_start_sequence",
    opt_start_seq: 1,
    ack_policy: "none",
    replay_policy: "instant",
    inactive_threshold: 60_000_000_000,
    num_replicas: 1,
    mem_storage: true,
  };
  const body = JSON.stringify({ stream_name: VENDOR_STREAM, config });
  await askBoth(both, api(`CONSUMER.CREATE.${VENDOR_STREAM}.${name}`), body);
}

/** Asked past the targets, which name the times that they meet. */
async function messagesOf({ nats }: Both): Promise<number> {
  const answer = await nats.request(api(`STREAM.INFO.${VENDOR_STREAM}`));
  return answer.json<{ state: { messages: number } }>().state.messages;
}

test("age: what is too old goes from the front, its id is free again, and consumers count on", async () => {
  await using both = await openBoth(stores, { maxAgeMs: 2_000, duplicateWindowMs: 2_000 });
  const { real, modelled, model, passTime } = both;
  const startedAtMs = Date.now();
  await createConsumer(both, "c1");
  await askBoth(both, bakery, "{}", "o-1");
  await askBoth(both, florist, "{}", "o-2");
  for (const target of [real, modelled]) target.pull("c1", "_INBOX_admin.pulled.c1", 1, 60_000);
  await until(() => Date.now() > startedAtMs + 1_400, {
    what: "the first are older than the next",
  });
  passTime(1_400);
  await askBoth(both, bakery, "{}", "o-3");
  await askBoth(both, bakery, "{}", "o-3");
  await until(async () => (await messagesOf(both)) === 1, { what: "the server drops the first" });
  passTime(700);
  expect(model.log.expire()).toBe(2);
  await askState(both);
  await until(async () => (await messagesOf(both)) === 0, { what: "the server drops all" });
  passTime(1_400);
  expect(model.log.expire()).toBe(1);
  await askState(both);
  await askBoth(both, bakery, "{}", "o-1");
  for (const target of [real, modelled]) target.pull("c1", "_INBOX_admin.pulled.c1", 1, 60_000);
  await modelled.bus.flush();
  await real.settle(modelled);
  expect(real.seen()).toEqual(modelled.seen());
  await askState(both);
});

test("away: a stream that was deleted is not found, publishes have no responder, and direct gets no answer", async () => {
  await using both = await openBoth(stores);
  const { real, modelled } = both;
  await createConsumer(both, "c1");
  for (const target of [real, modelled]) target.pull("c1", "_INBOX_admin.pulled.c1", 1, 60_000);
  await askBoth(both, api(`STREAM.DELETE.${VENDOR_STREAM}`));
  await askBoth(both, api(`STREAM.DELETE.${VENDOR_STREAM}`));
  await askBoth(both, api(`STREAM.INFO.${VENDOR_STREAM}`));
  await askBoth(both, api(`STREAM.MSG.GET.${VENDOR_STREAM}`), '{"seq":1}');
  await askBoth(both, api(`STREAM.MSG.DELETE.${VENDOR_STREAM}`), '{"seq":1}');
  await askBoth(both, api(`STREAM.PURGE.${VENDOR_STREAM}`));
  await createConsumer(both, "c2");
  await askBoth(both, api(`CONSUMER.DELETE.${VENDOR_STREAM}.c1`));
  const direct = api(`DIRECT.GET.${VENDOR_STREAM}`);
  expect(await askBoth(both, direct, '{"seq":1}', undefined, 300)).toBeNull();
  expect(await askBoth(both, bakery, "{}", "o-1")).toMatchObject({ block: "NATS/1.0 503\r\n\r\n" });
  await real.settle(modelled);
  expect(real.seen()).toEqual(modelled.seen());
  const outcomes = await Promise.all(
    [real, modelled].map(({ log }) => log.bounds().catch((error: Error) => error)),
  );
  expect(outcomes[0]).toEqual(outcomes[1]);
  await both.makeAnew();
  await askState(both);
});
