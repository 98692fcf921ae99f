// The least that plain Node does for Server-Sent Events: node:http, one frame encoded once, the same buffer written to
// every socket. No authentication, no bounds, no resume. With NATS_URL the messages come from core NATS.
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { announce, listenForControl, topicOf } from "./control-server.ts";
import { openNatsTopics } from "./nats-topics.ts";

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  connection: "close",
};
const topics = new Map<number, Set<Socket>>();

function publish(topic: number, body: Buffer): void {
  const frame = Buffer.from(`id: 0123456789ab-1-abcdef\nevent: new-order\ndata: ${body}\n\n`);
  for (const socket of topics.get(topic) ?? []) socket.write(frame);
}

const follow = process.env.NATS_URL ? await openNatsTopics(process.env, publish) : () => {};
const server = createServer((request, response) => {
  const topic = topicOf(request.url);
  const { socket } = response;
  if (!socket) return;
  response.useChunkedEncodingByDefault = false;
  response.writeHead(200, HEADERS);
  response.flushHeaders();
  socket.setNoDelay(true);
  const sockets = topics.get(topic) ?? new Set();
  topics.set(topic, sockets.add(socket));
  follow(topic);
  socket.once("close", () => sockets.delete(socket));
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, async () => {
  const { port } = server.address() as AddressInfo;
  announce({ port, controlPort: await listenForControl(publish) });
});
