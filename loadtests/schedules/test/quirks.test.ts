import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { startTestStores, type TestStores } from "@localstreet/testkit/stores";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBoth } from "./both.ts";

// The faults of the server that the model repeats, each by itself, so that a newer server says which of them it lost.

let stores: TestStores<{ nats: true }>;
beforeAll(async () => {
  stores = await startTestStores({ nats: true });
});
afterAll(() => stores?.stop());

const bakery = "vendor.bakery.orders";
const florist = "vendor.florist.orders";
const NOT_FOUND = 10_037;
const NEVER = "0001-01-01T00:00:00Z";
const UNKNOWN = "1970-01-01T00:00:00Z";

interface State {
  first_seq: number;
  first_ts: string;
  last_seq: number;
  last_ts: string;
}

async function openQuirk() {
  const both = await openBoth(stores);
  const { real, modelled } = both;

  async function ask(subject: string, body: object | string, fields = {}): Promise<unknown> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const said = await real.ask(subject, text, fields);
    expect(said).toEqual(await modelled.ask(subject, text, fields));
    return said?.body;
  }
  const api = (operation: string, body: object) =>
    ask(`$JS.API.${operation}.${VENDOR_STREAM}`, body);
  return Object.assign(both, {
    api,
    publish: (subject: string, id: string) => ask(subject, "{}", { "Nats-Msg-Id": id }),
    delete: (seq: number) => api("STREAM.MSG.DELETE", { seq }),
    async state(): Promise<State> {
      return ((await api("STREAM.INFO", { deleted_details: true })) as { state: State }).state;
    },
    /** The error's code, or 0. */
    async last(filter: string): Promise<number> {
      const body = await api("STREAM.MSG.GET", { last_by_subj: filter });
      return (body as { error?: { err_code: number } }).error?.err_code ?? 0;
    },
    previousOfLast: () => real.live.at(-1)?.block.match(/Nats-Last-Sequence: (\d+)/)?.[1] ?? "none",
  });
}

test("the newest message of a subject is deleted: the subject seems empty, and the next message seems its first", async () => {
  await using quirk = await openQuirk();
  await quirk.publish(bakery, "o-1");
  await quirk.publish(bakery, "o-2");
  await quirk.publish(florist, "o-3");
  await quirk.delete(2);
  expect(await quirk.last(bakery)).toBe(NOT_FOUND);
  expect(await quirk.last(">")).toBe(0);
  await quirk.publish(bakery, "o-4");
  expect(quirk.previousOfLast()).toBe("0");
  expect(await quirk.last(bakery)).toBe(0);
});

test("newest and oldest of a subject are deleted: what is left between is found by its sequence alone", async () => {
  await using quirk = await openQuirk();
  for (const id of ["o-1", "o-2", "o-3"]) await quirk.publish(bakery, id);
  await quirk.publish(florist, "o-4");
  await quirk.delete(3);
  await quirk.delete(1);
  expect(await quirk.api("STREAM.MSG.GET", { seq: 2 })).not.toHaveProperty("error");
  expect(await quirk.api("STREAM.MSG.GET", { seq: 1, next_by_subj: bakery })).toMatchObject({
    error: { err_code: NOT_FOUND },
  });
  expect(await quirk.api("STREAM.PURGE", { filter: bakery })).toMatchObject({ purged: 0 });
});

test("the newest message of the log is deleted: `>` finds nothing, and the log's end stays where and when it was", async () => {
  await using quirk = await openQuirk();
  await quirk.publish(bakery, "o-1");
  await quirk.publish(florist, "o-2");
  const { last_ts } = await quirk.state();
  await quirk.delete(2);
  expect(await quirk.last(">")).toBe(NOT_FOUND);
  expect(await quirk.last(bakery)).toBe(0);
  expect(await quirk.state()).toMatchObject({ first_seq: 1, last_seq: 2, last_ts });
  await quirk.publish(florist, "o-2");
  expect((await quirk.state()).last_seq).toBe(2);
});

test("the time of the end outlives purge and deletes; the time of the beginning says which it was", async () => {
  await using quirk = await openQuirk();
  expect(await quirk.state()).toMatchObject({ first_seq: 0, last_seq: 0, last_ts: NEVER });
  await quirk.publish(bakery, "o-1");
  const { last_ts } = await quirk.state();
  await quirk.api("STREAM.PURGE", {});
  const purged = { first_seq: 2, first_ts: NEVER, last_seq: 1, last_ts };
  expect(await quirk.state()).toMatchObject(purged);
  await quirk.publish(bakery, "o-2");
  const before = await quirk.state();
  await quirk.delete(2);
  const deleted = { first_seq: 3, first_ts: UNKNOWN, last_seq: 2, last_ts: before.last_ts };
  expect(await quirk.state()).toMatchObject(deleted);
});

test("a restore without the newest message knows neither its time nor any id; with it both are known", async () => {
  await using quirk = await openQuirk();
  for (const id of ["o-1", "o-2", "o-3"]) await quirk.publish(bakery, id);
  const whole = await quirk.backup();
  await quirk.delete(3);
  const cut = await quirk.backup();
  await quirk.restore(cut);
  expect(await quirk.state()).toMatchObject({ last_seq: 3, last_ts: UNKNOWN });
  expect(await quirk.publish(bakery, "o-1")).not.toContain("duplicate");
  await quirk.restore(whole);
  expect(await quirk.publish(bakery, "o-1")).toContain("duplicate");
  expect(await quirk.publish(bakery, "o-4")).toContain('"seq":4');
});

test("a purge by subject takes a consumer of all subjects over what is left of others", async () => {
  await using quirk = await openQuirk();
  const name = "all";
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
  const create = { stream_name: VENDOR_STREAM, config };
  for (const target of [quirk.real, quirk.modelled]) {
    const path = `CONSUMER.CREATE.${VENDOR_STREAM}.${name}`;
    await target.ask(`$JS.API.${path}`, JSON.stringify(create));
  }
  await quirk.publish(florist, "o-1");
  await quirk.publish(bakery, "o-2");
  await quirk.publish(florist, "o-3");
  await quirk.api("STREAM.PURGE", { filter: bakery });
  await quirk.publish(florist, "o-4");
  const inbox = "_INBOX_admin.pulled.all";
  for (const target of [quirk.real, quirk.modelled]) target.pull(name, inbox, 1, 60_000);
  await quirk.modelled.bus.flush();
  await quirk.real.settle(quirk.modelled);
  expect(quirk.real.seen()).toEqual(quirk.modelled.seen());
  // 1 and 3 are in the log, and are never brought.
  expect(quirk.real.pulled.get(inbox)?.[0]?.reply).toContain("$JS.ACK.VENDOR.all.1.4.1.");
});
