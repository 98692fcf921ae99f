import { type Bus, connectBus } from "@localstreet/bus/connection";
import { ensureStreams } from "@localstreet/bus/streams";
import type { Role } from "@localstreet/contracts/auth";
import { migrateDatabase } from "@localstreet/db/migrate";
import { createDatabase } from "@localstreet/db/pool";
import { grantRoles } from "@localstreet/db/roles";
import { readConfig } from "@localstreet/service-kit/config";
import { type RunningService, startService } from "@localstreet/service-kit/service";
import { startTestStores } from "@localstreet/testkit/stores";
import { TEST_SECRET, tokenFor } from "@localstreet/testkit/tokens";
import { openSocket, type ServerFrame, type SocketClient } from "@localstreet/testkit/ws-client";
import { buildApp } from "../src/app.ts";
import { chatConfigSchema } from "../src/config.ts";

export interface Chat {
  readonly stores: Awaited<
    ReturnType<typeof startTestStores<{ nats: true; redis: true; postgres: true }>>
  >;
  /** The stores' admin. */
  readonly bus: Bus;
  readonly replicas: readonly [RunningService, RunningService];
  startReplica(env?: Record<string, string>): Promise<RunningService>;
  stop(): Promise<void>;
}

/** Two replicas of the service on stores of their own. */
export async function startChat(env: Record<string, string> = {}): Promise<Chat> {
  const stores = await startTestStores({ nats: true, redis: true, postgres: true });
  await createDatabase(stores.postgres.url("admin"), "localstreet");
  const adminUrl = stores.postgres.url("admin", "localstreet");
  await migrateDatabase({ url: adminUrl });
  await grantRoles({ url: adminUrl, passwords: stores.postgres.passwords });
  const bus = await connectBus({ ...stores.nats.as("admin"), name: "test" });
  await ensureStreams(bus);
  const nats = stores.nats.as("chat-ws");
  const started: RunningService[] = [];

  async function startReplica(more: Record<string, string> = {}): Promise<RunningService> {
    const service = await startService({
      name: "chat-ws",
      config: readConfig(chatConfigSchema, {
        PORT: "0",
        ADMIN_PORT: "0",
        REPLICA_NAME: `chat-ws-${started.length + 1}`,
        LOG_LEVEL: "silent",
        DRAIN_MS: "0",
        AUTH_JWT_SECRET: TEST_SECRET,
        NATS_URL: nats.servers.join(","),
        NATS_USER: nats.user,
        NATS_PASSWORD: nats.password,
        REDIS_URL: stores.redis.url("chat-ws"),
        DATABASE_URL: stores.postgres.url("chat-ws", "localstreet"),
        MESSAGES_PER_SECOND: "10000",
        CONNECTIONS_PER_USER: "10000",
        REQUESTS_PER_SECOND: "10000",
        REQUESTS_BURST: "10000",
        OPENINGS_PER_SECOND: "10000",
        OPENINGS_BURST: "10000",
        CONVERSATIONS_PER_MINUTE: "10000",
        CONVERSATIONS_BURST: "10000",
        MESSAGES_BURST: "10000",
        FRAMES_PER_SECOND: "10000",
        ...env,
        ...more,
      }),
      buildApp,
    });
    started.push(service);
    return service;
  }

  return {
    stores,
    bus,
    replicas: [await startReplica(), await startReplica()],
    startReplica,
    async stop() {
      await Promise.all(started.map((service) => service.stop()));
      await bus.close();
      await stores.stop();
    },
  };
}

let people = 0;
/** A person or a vendor that no other test knows. */
export function newName(kind: string): string {
  people += 1;
  return `${kind}-${people}`;
}

export async function connectAs(
  service: RunningService,
  who: { role: Role; sub: string; vendors?: string[] },
): Promise<SocketClient> {
  const client = await openSocket(`${service.wsUrl}/api/chat/ws`, { token: await tokenFor(who) });
  await client.next((frame) => frame.type === "authenticated");
  return client;
}

let refs = 0;
/** Sends a message and returns what its `ref` is answered with. */
export async function say(client: SocketClient, frame: Readonly<Record<string, unknown>>) {
  refs += 1;
  const ref = refs;
  const clientMessageId = `m-${ref}`;
  client.send({ type: "send-message", ref, clientMessageId, content: `text ${ref}`, ...frame });
  // Not `next`: pushes that come before stay to be read.
  return await answerOf(client, ref);
}

export async function answerOf(client: SocketClient, ref: number) {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const answer = client.frames.find((frame) => frame.ref === ref);
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`no answer to ${ref}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function messagesOf(client: SocketClient) {
  return client.frames.filter((frame) => frame.type === "message");
}

interface Answer {
  readonly status: number;
  readonly body: ServerFrame;
  readonly headers: Headers;
}

/** An HTTP call. */
export async function call(
  service: RunningService,
  who: { role: Role; sub: string; vendors?: string[] } | null,
  path: string,
  body?: unknown,
): Promise<Answer> {
  const response = await fetch(`${service.url}/api/chat/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      ...(who === null ? {} : { authorization: `Bearer ${await tokenFor(who)}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}
