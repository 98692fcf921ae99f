import { startTestStores } from "@localstreet/testkit/stores";
import { migrateDatabase } from "../src/migrate.ts";
import { createDatabase } from "../src/pool.ts";
import { grantRoles } from "../src/roles.ts";

const DATABASE = "localstreet";

/** A Postgres server of its own with the migrated database and the services' roles. */
export async function startDatabase() {
  const stores = await startTestStores({ postgres: true });
  const { postgres } = stores;
  await createDatabase(postgres.url("admin"), DATABASE);
  await migrateDatabase({ url: postgres.url("admin", DATABASE) });
  await grantRoles({ url: postgres.url("admin", DATABASE), passwords: postgres.passwords });
  return {
    postgres,
    url: (account: Parameters<typeof postgres.url>[0]) => postgres.url(account, DATABASE),
    stop: () => stores.stop(),
  };
}
export type TestDatabase = Awaited<ReturnType<typeof startDatabase>>;
