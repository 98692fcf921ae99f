// The article's chat service: Socket.IO 4 with the Redis adapter, one INSERT for each message, then the room is told.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import pg from "pg";
import { Server } from "socket.io";
import { announce } from "./control-server.ts";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
// Replicas that start at once would fail on each other's CREATE.
await pool.query(`DO $$ BEGIN
  PERFORM pg_advisory_xact_lock(1);
  CREATE TABLE IF NOT EXISTS bench_messages (
    id bigserial PRIMARY KEY, conversation_id text NOT NULL, sender_id text NOT NULL, content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX IF NOT EXISTS bench_messages_by_conversation ON bench_messages (conversation_id, created_at);
END $$`);

const server = createServer();
const pub = new Redis(process.env.REDIS_URL ?? "");
const io = new Server(server, { adapter: createAdapter(pub, pub.duplicate()) });

io.on("connection", (socket) => {
  socket.on("join", (userId) => {
    socket.data.userId = userId;
    socket.join(`user:${userId}`);
    socket.emit("joined", {});
  });
  socket.on("send-message", async ({ to, content, clientMessageId }, ack) => {
    const { userId } = socket.data;
    const result = await pool.query(
      "INSERT INTO bench_messages (conversation_id, sender_id, content) VALUES ($1, $2, $3) RETURNING id, created_at",
      [`${userId}:${to}`, userId, content],
    );
    const [row] = result.rows;
    const message = { id: row.id, senderId: userId, content, createdAt: row.created_at };
    io.to(`user:${to}`).emit("message", { ...message, clientMessageId });
    ack({ clientMessageId, messageId: row.id, createdAt: row.created_at });
  });
});

server.listen(0, "127.0.0.1", () => announce({ port: (server.address() as AddressInfo).port }));
