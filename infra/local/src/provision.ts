import { connectBus } from "@localstreet/bus/connection";
import { ensureStreams } from "@localstreet/bus/streams";
import { migrateDatabase } from "@localstreet/db/migrate";
import { createDatabase } from "@localstreet/db/pool";
import { grantRoles } from "@localstreet/db/roles";
import type { NatsServer } from "@localstreet/stores/nats-server";
import type { PostgresServer } from "@localstreet/stores/postgres-server";
import { DATABASE, type LocalStores } from "./local-stores.ts";
import type { StoreSecrets } from "./secrets.ts";

/** Creates what the services expect in the stores and may not create themselves: streams, buckets, tables, roles. */
export async function provision(
  stores: Pick<LocalStores, "natsNodes" | "postgres">,
  secrets: StoreSecrets,
): Promise<void> {
  await Promise.all([provisionNats(stores.natsNodes), provisionPostgres(stores.postgres, secrets)]);
}

/** A stream can have five copies at most, and survives the loss of fewer than half. */
function copiesOn(nodes: number): number {
  return nodes >= 3 ? 3 : 1;
}

async function provisionNats(nodes: readonly NatsServer[]): Promise<void> {
  const [nats] = nodes;
  if (!nats) throw new Error("no NATS server");
  const bus = await connectBus({ ...nats.as("admin"), name: "provision" });
  try {
    await ensureStreams(bus, { replicas: copiesOn(nodes.length) });
  } finally {
    await bus.close();
  }
}

async function provisionPostgres(postgres: PostgresServer, secrets: StoreSecrets): Promise<void> {
  await createDatabase(postgres.url("admin"), DATABASE);
  const url = postgres.url("admin", DATABASE);
  await migrateDatabase({ url });
  await grantRoles({ url, passwords: secrets.postgres });
}
