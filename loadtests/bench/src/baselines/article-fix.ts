// The article's ingest service: Express, jsonwebtoken, a SET and a PUBLISH. As written it gives jsonwebtoken the secret as
// a string; with KEY_OBJECT=1 as a KeyObject, which spares it from trying the string as a PEM key first.
import { createSecretKey } from "node:crypto";
import type { AddressInfo } from "node:net";
import express from "express";
import { Redis } from "ioredis";
import jwt from "jsonwebtoken";
import { announce } from "./control-server.ts";

const secret = process.env.JWT_SECRET ?? "";
const key = process.env.KEY_OBJECT ? createSecretKey(Buffer.from(secret)) : secret;
const redis = new Redis(process.env.REDIS_URL ?? "");
const app = express();
app.use(express.json());

app.post("/api/driver/:driverId/location", async (req, res) => {
  try {
    const token = req.headers.authorization?.split(" ")[1] ?? "";
    const claims = jwt.verify(token, key) as jwt.JwtPayload;
    if (claims.sub !== req.params.driverId) return void res.status(403).end();
  } catch {
    return void res.status(401).end();
  }
  const { lat, lng, heading, speed } = req.body;
  const position = JSON.stringify({ lat, lng, heading, speed, timestamp: Date.now() });
  await redis.set(`bench:driver:${req.params.driverId}`, position, "EX", 30);
  await redis.publish(`bench:tracking:${req.params.driverId}`, position);
  res.status(204).end();
});

const server = app.listen(0, "127.0.0.1", () => {
  announce({ port: (server.address() as AddressInfo).port });
});
