import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { openApi } from "../src/api.ts";
import { createClock } from "../src/clock.ts";
import { type Counts, zeroCounts } from "../src/counts.ts";
import type { PhoneFix } from "../src/phone-errors.ts";
import { openTokenDesk } from "../src/tokens.ts";
import { openUplink } from "../src/uplink.ts";

const DRIVER = { sub: "courier-1", role: "driver" } as const;
const REQUEST = { method: "POST", path: "/x", as: DRIVER, body: {} } as const;

async function startGateway(answer: (response: ServerResponse, body: string) => void) {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    answer(response, body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stopping = new AbortController();
  const counts: Counts = zeroCounts();
  const clock = createClock(1, stopping.signal);
  const tokens = openTokenDesk({ secret: "a secret of thirty-two characters" });
  const log: string[] = [];
  const gateway = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const api = openApi({ gateway, clock, tokens, counts, log: (line) => log.push(line) });
  return {
    api,
    counts,
    log,
    stop: () => stopping.abort(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("503, 429 and a broken connection are tried again, after the wait that the answer names (S3, T10)", async () => {
  const times: number[] = [];
  await using world = await startGateway((response) => {
    times.push(Date.now());
    if (times.length === 1) response.writeHead(429, { "Retry-After": "1" }).end();
    else if (times.length === 2) response.destroy();
    else if (times.length === 3) response.writeHead(503).end();
    else response.writeHead(202).end("{}");
  });
  expect(await world.api.send(REQUEST)).toBe("done");
  expect(times.length).toBe(4);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
  expect(world.counts).toMatchObject({ retries: 3, refused: 0 });
});

test("a refusal for good is counted, told and not repeated (E1)", async () => {
  let requests = 0;
  await using world = await startGateway((response) => {
    requests += 1;
    response.writeHead(409).end('{"code":"conflict"}');
  });
  expect(await world.api.send(REQUEST)).toBe("refused");
  expect(requests).toBe(1);
  expect(world.counts.refused).toBe(1);
  expect(await world.api.send({ ...REQUEST, mayLose: true })).toBe("lost");
  expect(world.counts.refused).toBe(1);
  expect(world.log.join()).toContain("409");
});

test("the end of the simulation ends every wait", async () => {
  await using world = await startGateway((response) => {
    response.writeHead(503, { "Retry-After": "60" }).end();
  });
  const answer = world.api.send(REQUEST);
  await until(() => world.counts.retries === 1, { what: "the first refusal" });
  world.stop();
  expect(await answer).toBe("stopped");
});

test("a courier's fixes arrive in the order they were made, also after a while without a platform", async () => {
  const heard: number[] = [];
  let up = false;
  await using world = await startGateway((response, body) => {
    if (up) heard.push((JSON.parse(body) as PhoneFix).speed);
    response.writeHead(up ? 204 : 503).end();
  });
  const uplink = openUplink(DRIVER, world.api, world.counts);
  const fix = (speed: number): PhoneFix => ({
    lat: 57.7,
    lng: 11.97,
    recordedAt: "2026-01-01T00:00:00.000Z",
    accuracy: 5,
    heading: 0,
    speed,
  });
  uplink.push([fix(1)]);
  await until(() => world.counts.retries >= 1, { what: "a refusal" });
  uplink.push([fix(2), fix(3)]);
  up = true;
  await until(() => heard.length === 3, { what: "all three" });
  expect(heard).toEqual([1, 2, 3]);
});
