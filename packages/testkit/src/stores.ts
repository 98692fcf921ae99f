import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPasswords } from "@localstreet/stores/credentials";
import { type NatsServer, startNats } from "@localstreet/stores/nats-server";
import { type PostgresServer, startPostgres } from "@localstreet/stores/postgres-server";
import { type RedisServer, startRedis } from "@localstreet/stores/redis-server";

interface StoreByName {
  nats: NatsServer;
  redis: RedisServer;
  postgres: PostgresServer;
}

/** The servers that were asked for, and nothing else. */
export type TestStores<Wanted> = {
  [Name in keyof StoreByName as Wanted extends { [N in Name]: true }
    ? Name
    : never]: StoreByName[Name];
} & { stop(): Promise<void> } & AsyncDisposable;

/**
 * Real servers on private ports with a user for each service, in a temporary folder. Empty: the test itself calls
 * `ensureStreams`, `migrateDatabase` and `grantRoles`. Stopped and removed on dispose.
 */
export async function startTestStores<
  const Wanted extends { nats?: true; redis?: true; postgres?: true },
>(wanted: Wanted): Promise<TestStores<Wanted>> {
  const folder = await mkdtemp(join(tmpdir(), "localstreet-test-"));
  const start = {
    nats: () => startNats({ dir: join(folder, "nats"), passwords: createPasswords() }),
    redis: () => startRedis({ dir: join(folder, "redis"), passwords: createPasswords() }),
    postgres: () =>
      startPostgres({
        dir: join(folder, "postgres"),
        passwords: createPasswords(),
        durable: false,
      }),
  };
  const names = (["nats", "redis", "postgres"] as const).filter((name) => wanted[name]);
  const results = await Promise.allSettled(
    names.map(async (name) => [name, await start[name]()] as const),
  );
  const started = results.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : [],
  );

  async function stop(): Promise<void> {
    await Promise.all(started.map(([, server]) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  }
  const failed = results.find((result) => result.status === "rejected");
  if (failed) {
    await stop();
    throw failed.reason;
  }
  return {
    ...Object.fromEntries(started),
    stop,
    [Symbol.asyncDispose]: stop,
  } as unknown as TestStores<Wanted>;
}
