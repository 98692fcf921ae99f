import { startLyingServer } from "@localstreet/oracle/lying-server";
import { isClean } from "@localstreet/run-report/run-record";
import { expect, test } from "vitest";
import { holdConnections } from "../src/hold.ts";

const SECRET = "a secret of thirty-two characters";

async function hold(lie: string | null, options: { workers?: number; cutAfterMs?: number } = {}) {
  const server = await startLyingServer(lie);
  const { workers, cutAfterMs } = options;
  const timer = setTimeout(() => server.cutAll(200), cutAfterMs ?? 60_000);
  try {
    return await holdConnections({
      target: server.url,
      secret: SECRET,
      connections: 40,
      holdMs: 3_000,
      intervalMs: 150,
      settleMs: 5_000,
      workers,
    });
  } finally {
    clearTimeout(timer);
    await server.close();
  }
}

test.concurrent("connections are held by several processes, come back when cut, and nothing is lost", {
  timeout: 30_000,
}, async () => {
  const run = await hold(null, { workers: 2, cutAfterMs: 2_500 });
  expect(run.faults).toEqual([]);
  expect(isClean(run), JSON.stringify(run.verdicts, null, 1)).toBe(true);
  expect(run.size).toBe("40 connections in 2 processes");
  expect(Math.max(...run.timeline.connections.map(([, open]) => open))).toBe(40);
  const [orders, dashboard, chat, tracking] = run.verdicts;
  expect(orders?.delivered).toBe((orders?.offered ?? 0) * 8);
  expect(orders?.acknowledgedNotStored).toBe(0);
  expect(chat?.delivered).toBeGreaterThan(0);
  expect(tracking?.delivered).toBeGreaterThan(0);
  expect(dashboard?.delivered).toBeGreaterThan(0);
  expect(run.generatorShare).toBeGreaterThan(0);
});

test.concurrent("a platform that shows older positions after newer ones is found out", {
  timeout: 30_000,
}, async () => {
  const run = await hold("shows an older position after a newer one");
  expect(run.verdicts.filter(({ ok }) => !ok)).toMatchObject([
    { path: "tracking", outOfOrder: expect.any(Number) },
  ]);
});

test("where nobody takes the connections the error says what was said", async () => {
  const server = await startLyingServer(null);
  server.cutAll(60_000);
  const held = holdConnections({
    target: server.url,
    secret: SECRET,
    connections: 20,
    holdMs: 1,
    openMs: 2_500,
  });
  await expect(held).rejects.toThrow(
    /Only 0 of 20 connections opened in time: HTTP 503 \(\d+ times\)/,
  );
  await server.close();
});
