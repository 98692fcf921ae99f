import { personIdSchema } from "@localstreet/contracts/ids";
import { revocationKey } from "@localstreet/contracts/subjects";
import { startTestStores, type TestStores } from "@localstreet/testkit/stores";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bus, connectBus } from "../src/connection.ts";
import { openRevocations } from "../src/revocations.ts";
import { ensureStreams } from "../src/streams.ts";

let stores: TestStores<{ nats: true }>;
let admin: Bus;
const buses: Bus[] = [];
let people = 0;
const newPerson = () => {
  people += 1;
  return personIdSchema.parse(`person-${people}`);
};

/** One replica of a service. */
async function open(user: "notification-sse" | "chat-ws" | "tracking-ingest" | "tracking-fanout") {
  const bus = await connectBus({ ...stores.nats.as(user), name: user });
  buses.push(bus);
  return await openRevocations(bus, { checkMs: 200 });
}

beforeAll(async () => {
  stores = await startTestStores({ nats: true });
  admin = await connectBus({ ...stores.nats.as("admin"), name: "admin" });
  await ensureStreams(admin);
});
afterAll(async () => {
  await Promise.all([admin, ...buses].map((bus) => bus.close()));
  await stores.stop();
});

test("A9: every service knows of a revocation a moment later, and one that starts after it too", async () => {
  const one = await open("notification-sse");
  const others = await Promise.all(
    (["notification-sse", "chat-ws", "tracking-ingest", "tracking-fanout"] as const).map(open),
  );
  const person = newPerson();
  await one.revoke(person, 1_000);
  expect(one.isRevoked(person, 1_000)).toBe(true);
  for (const revocations of others) {
    await until(() => revocations.isRevoked(person, 1_000), { timeoutMs: 500, what: "the copy" });
    expect(revocations.isRevoked(person, 1_001)).toBe(false);
    expect(revocations.isRevoked(person, null)).toBe(true);
    expect(revocations.isRevoked(newPerson(), null)).toBe(false);
  }
  expect((await open("chat-ws")).isRevoked(person, 1_000)).toBe(true);
});

test("A9: of several at the same time the latest counts, in whatever order they are stored", async () => {
  const [one, two] = [await open("notification-sse"), await open("notification-sse")];
  const person = newPerson();
  const times = [30, 10, 50, 20, 40];
  await Promise.all(times.map((seconds, index) => (index % 2 ? one : two).revoke(person, seconds)));
  await one.revoke(person, 15);
  const fresh = await open("tracking-fanout");
  for (const revocations of [one, two, fresh]) {
    await until(() => revocations.isRevoked(person, 50), { what: "the latest" });
    expect(revocations.isRevoked(person, 51)).toBe(false);
  }
});

test("A9: it holds while NATS is away, which stores no other, and what was stored meanwhile is read after", async () => {
  const [one, two] = [await open("notification-sse"), await open("chat-ws")];
  const [before, during, after] = [newPerson(), newPerson(), newPerson()];
  await one.revoke(before, 10);
  await until(() => two.isRevoked(before, 10), { what: "the copy" });
  await stores.nats.kill();
  await expect(one.revoke(during, 10)).rejects.toMatchObject({ retryable: true });
  expect(one.isRevoked(before, 10)).toBe(true);
  expect(one.isRevoked(during, 10)).toBe(false);
  await stores.nats.start();
  await until(
    () =>
      one.revoke(after, 10).then(
        () => true,
        () => false,
      ),
    { what: "NATS is back" },
  );
  await until(() => two.isRevoked(after, 10), { what: "the copy follows again" });
  expect(two.isRevoked(before, 10)).toBe(true);
});

test("A9: what cannot be read revokes everything, and an operator may take a revocation back", async () => {
  const one = await open("chat-ws");
  const person = newPerson();
  const subject = `$KV.revocations.${revocationKey(person)}`;
  await until(() => admin.publishSignal(subject, "garbage") === "sent", { what: "connected" });
  await until(() => one.isRevoked(person, Date.now()), { what: "revoked" });
  admin.publishSignal(subject, "");
  await until(() => !one.isRevoked(person, 0), { what: "taken back" });
});
