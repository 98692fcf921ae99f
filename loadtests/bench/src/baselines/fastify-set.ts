// The least for a fix in Node: Fastify, one SET, no authentication and nobody told.
import type { AddressInfo } from "node:net";
import Fastify from "fastify";
import { Redis } from "ioredis";
import { announce } from "./control-server.ts";

const redis = new Redis(process.env.REDIS_URL ?? "");
const app = Fastify();
app.post<{ Params: { driverId: string } }>(
  "/api/driver/:driverId/location",
  async (request, reply) => {
    const fix = JSON.stringify(request.body);
    await redis.set(`bench:driver:${request.params.driverId}`, fix, "EX", 30);
    return reply.code(204).send();
  },
);
await app.listen({ port: 0, host: "127.0.0.1" });
announce({ port: (app.server.address() as AddressInfo).port });
