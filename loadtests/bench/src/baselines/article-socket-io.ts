// The article's tracking service: Socket.IO 4 with the Redis adapter, a room for each delivery.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { announce, listenForControl } from "./control-server.ts";

const server = createServer();
const pub = new Redis(process.env.REDIS_URL ?? "");
const io = new Server(server, { adapter: createAdapter(pub, pub.duplicate()) });

io.on("connection", (socket) => {
  socket.on("watch-delivery", (deliveryId) => {
    socket.join(`delivery:${deliveryId}`);
    socket.emit("watching", { deliveryId });
  });
});

server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address() as AddressInfo;
  const controlPort = await listenForControl((topic, body) => {
    io.to(`delivery:${topic}`).emit("location-update", JSON.parse(body.toString()));
  });
  announce({ port, controlPort });
});
