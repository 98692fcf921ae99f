import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const prismaCli = fileURLToPath(new URL("../prisma/prisma.mjs", import.meta.url));

/**
 * Applies the migrations that the database has not got (`prisma migrate deploy`). The database must exist.
 *
 * @param options.url of the database, as a user that may create tables.
 * @throws with Prisma's words when one fails; the database stays marked and later calls fail until that is resolved.
 */
export async function migrateDatabase(options: { url: string }): Promise<void> {
  try {
    await run(process.execPath, [prismaCli, "migrate", "deploy"], {
      // biome-ignore lint/style/noProcessEnv: passed on to a program.
      env: { ...process.env, DATABASE_URL: options.url },
      timeout: 120_000,
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`the migration failed:\n${stdout}${stderr}`.trim(), { cause: error });
  }
}
