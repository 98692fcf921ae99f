import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import { WebSocketServer } from "ws";
import { judge } from "../src/judge.ts";
import { createLedger, fixKey } from "../src/ledger.ts";
import { openTarget } from "../src/target.ts";
import { openWatcher } from "../src/watcher.ts";

test("a position that arrives together with the answer before it is shown after it", async () => {
  const olderMs = Date.now() - 2_000;
  const newerMs = olderMs + 1_000;
  const positionAt = (ms: number) => ({
    ...{ lat: 1, lng: 1, accuracy: null, heading: null, speed: null },
    recordedAt: new Date(ms).toISOString(),
    timestamp: new Date(ms).toISOString(),
  });
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    socket.on("message", (data) => {
      const { type, ref } = JSON.parse(String(data));
      const send = (frame: object) => socket.send(JSON.stringify(frame));
      if (type === "authenticate") {
        const expiresAt = "2030-01-01T00:00:00.000Z";
        send({ type: "authenticated", ref, userId: "buyer", expiresAt, pingIntervalMs: 25_000 });
        return;
      }
      request.socket.cork();
      const driver = { state: "live", position: positionAt(olderMs), fixAt: null };
      send({ type: "watching", ref, deliveryId: "d", status: "picked_up", driver });
      send({ type: "location-update", deliveryId: "d", ...positionAt(newerMs) });
      request.socket.uncork();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const ledger = createLedger({ path: "tracking" });
  for (const ms of [olderMs, newerMs]) {
    ledger.offer(fixKey("d", ms), { audience: ["watcher"], group: "d", atMs: olderMs });
  }
  const watcher = openWatcher({
    target: openTarget({ url, secret: "a secret of thirty-two characters" }),
    ledger,
    receiver: "watcher",
    identity: { role: "buyer", sub: "buyer" },
    deliveryId: "d",
  });
  await vi.waitFor(() => expect(judge(ledger).delivered).toBe(2));
  expect(judge(ledger).outOfOrder).toBe(0);
  watcher.close();
  for (const socket of sockets.clients) socket.terminate();
  server.close();
});
