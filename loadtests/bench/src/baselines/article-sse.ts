// The article's notification service: Express, a Redis subscription, `res.write` for each client.

import type { AddressInfo } from "node:net";
import express, { type Response } from "express";
import { Redis } from "ioredis";
import { announce } from "./control-server.ts";

const app = express();
const clients = new Map<string, Set<Response>>();

app.get("/api/vendor/:vendorId/notifications/stream", (req, res) => {
  const { vendorId } = req.params;
  res.setHeader("Content-Type", "text/event-stream");
  res.setHeader("Cache-Control", "no-cache");
  res.setHeader("Connection", "keep-alive");
  res.flushHeaders();
  if (!clients.has(vendorId)) clients.set(vendorId, new Set());
  clients.get(vendorId)?.add(res);
  req.on("close", () => {
    clients.get(vendorId)?.delete(res);
  });
});

const subscriber = new Redis(process.env.REDIS_URL ?? "");
await subscriber.psubscribe("vendor:*:notifications");
subscriber.on("pmessage", (_pattern, channel, message) => {
  const vendorId = channel.split(":")[1] as string;
  const order = JSON.parse(message);
  for (const res of clients.get(vendorId) ?? []) {
    res.write(`event: new-order\ndata: ${JSON.stringify(order)}\n\n`);
  }
});

const server = app.listen(0, "127.0.0.1", () => {
  announce({ port: (server.address() as AddressInfo).port });
});
