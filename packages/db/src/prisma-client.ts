import { PrismaPg } from "@prisma/adapter-pg";
import { DatabaseUnavailableError, toDatabaseError } from "./database-error.ts";
import { PrismaClient } from "./generated/client.ts";
import type { Pool } from "./pool.ts";

/** Prisma on the connections of `pool`, with its timeouts. */
export function createPrismaClient(pool: Pool): PrismaClient {
  return new PrismaClient({ adapter: new PrismaPg(pool) });
}

/** Codes of Prisma that say that the query itself is wrong: of P2xxx, a missing table, a missing column. */
const OUR_FAULT = /^P20(09|1[0-9]|2[0-2])$/;

/**
 * Runs a read of Prisma.
 *
 * @throws {DatabaseUnavailableError} when Postgres cannot answer.
 */
export async function readWithPrisma<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    const { name, code } = error as { name?: string; code?: unknown };
    if (name === "PrismaClientValidationError") throw error;
    if (typeof code === "string" && /^P\d{4}$/.test(code)) {
      if (OUR_FAULT.test(code)) throw error;
      throw new DatabaseUnavailableError(`Postgres: ${code}`, { cause: error });
    }
    throw toDatabaseError(error);
  }
}
