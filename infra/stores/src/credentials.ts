import { randomBytes } from "node:crypto";
import { STORE_USERS, type StoreUser } from "@localstreet/contracts/grants";

/** `admin` may do everything; it creates streams, tables and roles, and no service runs as it. */
export type StoreAccount = StoreUser | "admin";

export const STORE_ACCOUNTS: readonly StoreAccount[] = [...STORE_USERS, "admin"];

/** A password for each account of one store. */
export type StorePasswords = Readonly<Record<StoreAccount, string>>;

/** Fresh random passwords, safe in URLs and in configuration files. */
export function createPasswords(): StorePasswords {
  const entries = STORE_ACCOUNTS.map((account) => [account, randomBytes(18).toString("base64url")]);
  return Object.fromEntries(entries) as StorePasswords;
}
