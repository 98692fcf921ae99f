// The least that plain Node does for WebSocket: `ws`, one frame encoded once, the same buffer written to every socket.
// No authentication, no bounds, no resume. With NATS_URL the messages come from core NATS.
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer } from "ws";
import { announce, listenForControl, topicOf } from "./control-server.ts";
import { openNatsTopics } from "./nats-topics.ts";

const topics = new Map<number, Set<Socket>>();

function publish(topic: number, body: Buffer): void {
  const head =
    body.length < 126
      ? Buffer.from([0x81, body.length])
      : Buffer.from([0x81, 126, body.length >> 8, body.length & 0xff]);
  const frame = Buffer.concat([head, body]);
  for (const socket of topics.get(topic) ?? []) socket.write(frame);
}

const follow = process.env.NATS_URL ? await openNatsTopics(process.env, publish) : () => {};
const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (_webSocket, request) => {
  const topic = topicOf(request.url);
  const { socket } = request;
  const listeners = topics.get(topic) ?? new Set();
  topics.set(topic, listeners.add(socket));
  follow(topic);
  socket.once("close", () => listeners.delete(socket));
});
sockets.on("connection", (webSocket) => webSocket.on("error", () => {}));
server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, async () => {
  const { port } = server.address() as AddressInfo;
  announce({ port, controlPort: await listenForControl(publish) });
});
