import { type Bus, connectBus } from "@localstreet/bus/connection";
import { openRevocations } from "@localstreet/bus/revocations";
import { ensureStreams } from "@localstreet/bus/streams";
import { personIdSchema } from "@localstreet/contracts/ids";
import { POSITION_TTL_SECONDS, positionKey, watchedKey } from "@localstreet/contracts/keys";
import { liveTrackingSubject } from "@localstreet/contracts/subjects";
import { type Position, positionSchema } from "@localstreet/contracts/tracking";
import type { RunningService } from "@localstreet/service-kit/service";
import { oddTokens } from "@localstreet/testkit/odd-tokens";
import { startTestStores } from "@localstreet/testkit/stores";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stores, startIngest } from "./start-ingest.ts";

let stores: Stores;
let one: RunningService;
let two: RunningService;
let redis: Redis;
let bus: Bus;
let drivers = 0;

beforeAll(async () => {
  stores = await startTestStores({ nats: true, redis: true });
  redis = new Redis(stores.redis.url("admin"));
  bus = await connectBus({ ...stores.nats.as("admin"), name: "test" });
  await ensureStreams(bus);
  // An unknown driver counts as watched for its first fix only, so that tests see what a watch flag does.
  one = await startIngest(stores, "tracking-ingest-1", { UNKNOWN_DRIVER_MS: "0" });
  two = await startIngest(stores, "tracking-ingest-2", { UNKNOWN_DRIVER_MS: "0" });
});

afterAll(async () => {
  await Promise.all([one?.stop(), two?.stop(), bus?.close()]);
  redis?.disconnect();
  await stores?.stop();
});

async function newDriver(service = one) {
  drivers += 1;
  const driverId = personIdSchema.parse(`driver-${drivers}`);
  const token = await tokenFor({ role: "driver", sub: driverId });
  const post = (body: unknown, more: { service?: RunningService; headers?: object } = {}) =>
    fetch(`${(more.service ?? service).url}/api/driver/${driverId}/location`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        ...more.headers,
      },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const stored = async (): Promise<Position | null> => {
    const encoded = await redis.hget(positionKey(driverId), "position");
    return encoded === null ? null : positionSchema.parse(JSON.parse(encoded));
  };
  return { driverId, token, post, stored };
}

function signalsOf(driverId: Parameters<typeof liveTrackingSubject>[0]) {
  const signals: Position[] = [];
  const { unsubscribe } = bus.subscribe(liveTrackingSubject(driverId), ({ data }) => {
    signals.push(positionSchema.parse(JSON.parse(Buffer.from(data).toString())));
  });
  return { signals, unsubscribe };
}

let lastFixMs = 0;

/** A fix that is newer than every other of this file: two may arrive in one millisecond. */
function newFix(lat: number) {
  lastFixMs = Math.max(Date.now(), lastFixMs + 1);
  return { lat, lng: 0, recordedAt: new Date(lastFixMs).toISOString() };
}

const at = (offsetMs: number) => new Date(Date.now() + offsetMs).toISOString();

test("T1 G5: a fix is answered 204 once it is in Redis, for 30 s", async () => {
  const { driverId, post, stored } = await newDriver();
  const recordedAt = at(-1_000);
  const response = await post({ lat: 57.7, lng: 11.97, recordedAt, accuracy: 8, heading: 0 });
  expect(response.status).toBe(204);
  expect(await response.text()).toBe("");
  expect(await stored()).toMatchObject({
    lat: 57.7,
    lng: 11.97,
    recordedAt,
    accuracy: 8,
    heading: 0,
    speed: null,
  });
  const ttlMs = await redis.pttl(positionKey(driverId));
  expect(ttlMs).toBeGreaterThan(POSITION_TTL_SECONDS * 1_000 - 5_000);
  expect(ttlMs).toBeLessThanOrEqual(POSITION_TTL_SECONDS * 1_000);
});

test("T1 G4: a driver's fixes may come to any replica, which names itself", async () => {
  const { post, stored } = await newDriver();
  for (let step = 0; step < 6; step += 1) {
    const service = step % 2 === 0 ? one : two;
    const response = await post({ lat: step, lng: 0, recordedAt: at(step - 100) }, { service });
    expect(response.status).toBe(204);
    expect(response.headers.get("localstreet-replica")).toBe(service.replica);
    expect((await stored())?.lat).toBe(step);
  }
});

test("T2: a late fix changes nothing, whichever replica it comes to", async () => {
  const { driverId, post, stored } = await newDriver();
  const newest = at(-1_000);
  await post({ lat: 1, lng: 1, recordedAt: newest });
  await redis.set(watchedKey(driverId), "1", "EX", 15);
  const { signals, unsubscribe } = signalsOf(driverId);
  await bus.flush();
  for (const service of [one, two]) {
    for (const recordedAt of [at(-2_000), newest]) {
      expect((await post({ lat: 2, lng: 2, recordedAt }, { service })).status).toBe(204);
    }
  }
  expect(await stored()).toMatchObject({ lat: 1, recordedAt: newest });
  // What came before this one would have come.
  await post({ lat: 3, lng: 3 });
  await until(() => signals.length > 0, { what: "the signal of the newest fix" });
  expect(signals.map(({ lat }) => lat)).toEqual([3]);
  unsubscribe();
});

test("T2: after the stored position is gone, an older fix is the newest there is", async () => {
  const { driverId, post, stored } = await newDriver();
  await post({ lat: 1, lng: 1, recordedAt: at(-1_000) });
  await redis.del(positionKey(driverId));
  await post({ lat: 2, lng: 2, recordedAt: at(-60_000) });
  expect((await stored())?.lat).toBe(2);
});

test.each([
  ["more than 30 s ahead", 40_000],
  ["more than a day ago", -86_500_000],
])("T2: a fix recorded %s is a 400 and changes nothing", async (_, offsetMs) => {
  const { post, stored } = await newDriver();
  const response = await post({ lat: 1, lng: 1, recordedAt: at(offsetMs) });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    code: "invalid-request",
    issues: [{ path: "recordedAt" }],
  });
  expect(await stored()).toBeNull();
});

test("T2: of fixes that race over both replicas the newest stays", async () => {
  const { post, stored } = await newDriver();
  const startMs = Date.now() - 10_000;
  const order = [7, 2, 9, 4, 1, 8, 3, 6, 5, 0];
  const responses = await Promise.all(
    order.map((step) =>
      post(
        { lat: step, lng: 0, recordedAt: new Date(startMs + step).toISOString() },
        { service: step % 2 === 0 ? one : two },
      ),
    ),
  );
  // A fix that others keep overtaking may be refused for a moment; it is never lost behind a 204.
  const accepted = order.filter((_, index) => responses[index]?.status === 204);
  expect((await stored())?.lat).toBe(Math.max(...accepted));
  expect(accepted.length).toBeGreaterThan(0);
});

test.each([
  ["a field too many", { lat: 1, lng: 1, driverId: "x" }],
  ["a latitude off the globe", { lat: 90.1, lng: 1 }],
  ["no longitude", { lat: 1 }],
  ["a number as text", { lat: "1", lng: 1 }],
  ["a time without a zone", { lat: 1, lng: 1, recordedAt: "2026-03-01T12:00:00.000" }],
  ["a time without milliseconds", { lat: 1, lng: 1, recordedAt: "2026-03-01T12:00:00Z" }],
  ["a negative speed", { lat: 1, lng: 1, speed: -1 }],
  ["a list", []],
  ["no JSON", "{"],
  ["nothing", ""],
])("G2 G3 E1: %s is a 400 and changes nothing", async (_, body) => {
  const { post, stored } = await newDriver();
  const response = await post(body);
  expect(response.status).toBe(400);
  expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(await response.json()).toMatchObject({ status: 400, code: "invalid-request" });
  expect(await stored()).toBeNull();
});

test("E6: a body over 16 KiB is refused", async () => {
  const { post } = await newDriver();
  const response = await post(JSON.stringify({ lat: 1, lng: 1, note: "x".repeat(17 * 1024) }));
  expect(response.status).toBe(413);
});

test.each([["a*b"], ["a%20b"], ["%7Bx%7D"], ["x".repeat(65)]])(
  "G1: the driver id %s is a 400",
  async (driverId) => {
    const { token } = await newDriver();
    const response = await fetch(`${one.url}/api/driver/${driverId}/location`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ lat: 1, lng: 1 }),
    });
    expect(response.status).toBe(400);
  },
);

test("A6: without a token 401, with another role 403, of another driver 404", async () => {
  const { driverId, post, stored } = await newDriver();
  const fix = { lat: 1, lng: 1 };
  const as = async (role: "buyer" | "vendor" | "service" | "driver", sub: string) =>
    await post(fix, { headers: { authorization: `Bearer ${await tokenFor({ role, sub })}` } });
  expect((await post(fix, { headers: { authorization: "" } })).status).toBe(401);
  expect((await post(fix, { headers: { authorization: "Bearer a.b.c" } })).status).toBe(401);
  for (const role of ["buyer", "vendor", "service"] as const) {
    expect((await as(role, driverId)).status).toBe(403);
  }
  const another = await as("driver", "somebody-else");
  expect(another.status).toBe(404);
  expect(await another.json()).toMatchObject({ code: "not-found" });
  expect(await stored()).toBeNull();
});

test("T5: a fix goes on the bus when somebody watches, as it is stored", async () => {
  const { driverId, post, stored } = await newDriver();
  await post(newFix(1));
  await redis.set(watchedKey(driverId), "1", "EX", 15);
  const { signals, unsubscribe } = signalsOf(driverId);
  await bus.flush();
  await post({ ...newFix(2), speed: 4 });
  await until(() => signals.length === 1, { what: "the signal" });
  expect(signals[0]).toEqual(await stored());
  unsubscribe();
});

test("T5: fixes of a driver whom nobody watches cost the bus nothing", async () => {
  const { driverId, post } = await newDriver();
  await post(newFix(1));
  const { signals, unsubscribe } = signalsOf(driverId);
  await bus.flush();
  for (let step = 2; step < 7; step += 1) {
    await post(newFix(step), { service: step % 2 === 0 ? one : two });
  }
  await redis.set(watchedKey(driverId), "1", "EX", 15);
  await post(newFix(9));
  await until(() => signals.length > 0, { what: "the signal of the watched fix" });
  expect(signals.map(({ lat }) => lat)).toEqual([9]);
  unsubscribe();
});

test("T5: a Redis that knows nothing of a driver silences nobody until the watch flags are back", async () => {
  const careful = await startIngest(stores, "tracking-ingest-3");
  const { driverId, post } = await newDriver(careful);
  const { signals, unsubscribe } = signalsOf(driverId);
  await bus.flush();
  await post(newFix(1));
  await post(newFix(2));
  await redis.flushall();
  await post(newFix(3));
  await post(newFix(4));
  await until(() => signals.length === 4, { what: "a signal of each fix" });
  expect(signals.map(({ lat }) => lat)).toEqual([1, 2, 3, 4]);
  unsubscribe();
  await careful.stop();
});

test("T1 T2: a stored position that this version does not understand is replaced by the next fix", async () => {
  const { driverId, post, stored } = await newDriver();
  for (const unknown of ["{", "null", '{"lat":1}', '{"lat":1,"lng":2,"recordedAt":5}']) {
    await redis.hset(positionKey(driverId), "position", unknown);
    expect([unknown, (await post({ lat: 3, lng: 4 })).status]).toEqual([unknown, 204]);
    expect(await stored()).toMatchObject({ lat: 3, lng: 4 });
  }
});

test("T1: a script that Redis forgot is sent again", async () => {
  const { post, stored } = await newDriver();
  await post(newFix(1));
  await redis.script("FLUSH");
  const responses = await Promise.all([post(newFix(2)), post(newFix(2))]);
  expect(responses.map(({ status }) => status)).toEqual([204, 204]);
  expect((await stored())?.lat).toBe(2);
});

test("T10: over 2 fixes a second a driver gets 429 with Retry-After, others do not", async () => {
  const limited = await startIngest(stores, "tracking-ingest-4", {
    FIXES_PER_SECOND: "2",
    FIXES_BURST: "4",
  });
  const fast = await newDriver(limited);
  const statuses: number[] = [];
  for (let step = 0; step < 6; step += 1) {
    const response = await fast.post(newFix(step));
    statuses.push(response.status);
    if (response.status === 429) {
      expect(response.headers.get("retry-after")).toBe("1");
      expect(await response.json()).toMatchObject({ code: "rate-limited" });
    }
  }
  expect(statuses).toEqual([204, 204, 204, 204, 429, 429]);
  expect((await fast.stored())?.lat).toBe(3);
  const other = await newDriver(limited);
  expect((await other.post(newFix(1))).status).toBe(204);
  await limited.stop();
});

test("T10: a driver whose fixes alternate between two replicas may send as many as through one", async () => {
  const env = { FIXES_PER_SECOND: "2", FIXES_BURST: "4" };
  const replicas = [
    await startIngest(stores, "tracking-ingest-5", env),
    await startIngest(stores, "tracking-ingest-6", env),
  ] as const;
  const fast = await newDriver();
  const startMs = performance.now();
  const answers = [];
  for (let step = 0; step < 8; step += 1) {
    answers.push(await fast.post(newFix(step), { service: replicas[step % 2 ? 1 : 0] }));
  }
  const statuses = answers.map(({ status }) => status);
  expect(statuses.slice(0, 4)).toEqual([204, 204, 204, 204]);
  const taken = statuses.filter((status) => status === 204).length;
  expect(taken).toBeLessThanOrEqual(4 + (2 * (performance.now() - startMs)) / 1_000);
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.headers.get("retry-after")).toBe("1");
  expect(await refused?.json()).toMatchObject({ code: "rate-limited" });
  // The wait that a refusal names is enough.
  const refusedAtMs = performance.now();
  const { status } = await untilTaken(() => fast.post(newFix(9), { service: replicas[0] }));
  expect(status).toBe(204);
  expect(performance.now() - refusedAtMs).toBeLessThan(2_000);
  await Promise.all(replicas.map((service) => service.stop()));
});

async function untilTaken(post: () => Promise<Response>): Promise<Response> {
  let response = await post();
  await until(
    async () => {
      if (response.status === 429) response = await post();
      return response.status !== 429;
    },
    { what: "the fix is taken" },
  );
  return response;
}

test("A9: a revoked driver's fixes are refused within a second", async () => {
  const { driverId, post, stored } = await newDriver();
  expect((await post({ lat: 1, lng: 1 })).status).toBe(204);
  const revocations = await openRevocations(bus);
  await revocations.revoke(driverId, Math.floor(Date.now() / 1_000));
  const startMs = performance.now();
  await expect.poll(async () => (await post({ lat: 2, lng: 2 })).status).toBe(401);
  expect(performance.now() - startMs).toBeLessThan(1_000);
  const lat = (await stored())?.lat;
  expect(await (await post({ lat: 3, lng: 3 })).json()).toMatchObject({ code: "token-revoked" });
  expect((await stored())?.lat).toBe(lat);
  revocations.close();
});

test("A10: a genuine token with an odd time is refused, in the header and in the cookie", async () => {
  for (const { name, token, isTaken } of oddTokens({ role: "driver", sub: "odd-driver" })) {
    for (const headers of [
      { authorization: `Bearer ${token}` },
      { cookie: `localstreet_token=${token}`, "sec-fetch-site": "same-origin" },
    ]) {
      const response = await fetch(`${one.url}/api/driver/odd-driver/location`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify({ lat: 1, lng: 1 }),
      });
      await response.arrayBuffer();
      expect([name, response.status]).toEqual([name, isTaken ? 204 : 401]);
    }
  }
});
