import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { openSocket } from "../src/ws-client.ts";

let server: WebSocketServer;
let url: string;
beforeAll(async () => {
  server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

const frame = (value: object) => JSON.stringify(value);

test("a socket with a token is open once it is authenticated, and keeps that frame", async () => {
  let isOpen = false;
  const opening = openSocket(url, { token: "t" }).then((socket) => {
    isOpen = true;
    return socket;
  });
  const [peer] = (await once(server, "connection")) as [WebSocket];
  peer.ping();
  await once(peer, "pong");
  expect(isOpen).toBe(false);
  peer.send(frame({ type: "authenticated" }));
  const socket = await opening;
  expect((await socket.next()).type).toBe("authenticated");
  socket.close();
});

test("a socket whose token the server refuses is open once it is closed, and says why", async () => {
  const opening = openSocket(url, { token: "t" });
  const [peer] = (await once(server, "connection")) as [WebSocket];
  peer.send(frame({ type: "error", code: "too-many-connections" }));
  peer.close(4429);
  const socket = await opening;
  expect(socket.frames).toEqual([{ type: "error", code: "too-many-connections" }]);
  expect((await socket.closed).code).toBe(4429);
});

test("a socket without a token waits for nothing", async () => {
  const socket = await openSocket(url);
  expect(socket.frames).toEqual([]);
  socket.close();
});
