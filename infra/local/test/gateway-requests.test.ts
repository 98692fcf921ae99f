import { openEventStream } from "@localstreet/testkit/sse-client";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectProblem, type GatewayStage, startGatewayStage } from "./gateway-stage.ts";

let stage: GatewayStage;
beforeAll(async () => {
  stage = await startGatewayStage({ requestsPerAddress: 10 });
});
afterAll(() => stage?.stop());

const list = () => fetch(`${stage.url}/api/chat/conversations`);

test("E21: an address makes so many requests at once and no more, none of which waits; the wait that is named is enough", async () => {
  const startMs = performance.now();
  const answers: Response[] = [];
  for (let count = 0; count < 60; count += 1) answers.push(await list());
  const seconds = (performance.now() - startMs) / 1_000;
  const taken = answers.filter(({ status }) => status === 200).length;
  expect(taken).toBeGreaterThanOrEqual(20);
  expect(taken).toBeLessThanOrEqual(21 + 10 * seconds + 1);
  // In the pace of the rate sixty requests would take four seconds.
  expect(seconds).toBeLessThan(3);
  const refused = answers.find(({ status }) => status === 429) as Response;
  expect(refused.headers.get("retry-after")).toBe("1");
  await expectProblem(refused, "rate-limited");
  const refusedAtMs = performance.now();
  await until(async () => (await list()).status === 200, { what: "an answer" });
  expect(performance.now() - refusedAtMs).toBeLessThan(2_000);
});

test("E21 E5 E11: a stream over the limit is told when to come back, and a page of ours may read that", async () => {
  await until(async () => (await list()).status === 429, { what: "a refusal" });
  const stream = await openEventStream(`${stage.url}/api/vendor/v1/notifications/stream`, {
    headers: { origin: "https://shop.example" },
  });
  await stream.ended;
  expect(stream.response.status).toBe(200);
  expect(stream.response.headers.get("access-control-allow-origin")).toBe("https://shop.example");
  expect(JSON.parse(stream.events[0]?.data as string)).toEqual({
    code: "rate-limited",
    message: "Too many requests",
    retryable: true,
    retryAfterMs: 1_000,
  });
  expect(stream.retries[0]).toBeGreaterThanOrEqual(2_000);
});
