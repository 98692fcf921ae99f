import type { VendorSettings } from "@localstreet/contracts/dashboard";
import type { VendorId } from "@localstreet/contracts/ids";
import { toDatabaseError } from "./database-error.ts";
import type { Pool } from "./pool.ts";

const READ = {
  name: "vendor-settings",
  text: `SELECT time_zone AS "timeZone" FROM vendor_settings WHERE vendor_id = $1`,
};

const WRITE = {
  name: "vendor-settings-write",
  text: `INSERT INTO vendor_settings (vendor_id, time_zone) VALUES ($1, $2)
    ON CONFLICT (vendor_id) DO UPDATE SET time_zone = excluded.time_zone`,
};

/**
 * What a vendor chose; `null` for one that never chose.
 *
 * @throws {DatabaseUnavailableError}
 */
export async function readVendorSettings(
  pool: Pool,
  vendorId: VendorId,
): Promise<VendorSettings | null> {
  try {
    const { rows } = await pool.query<VendorSettings>({ ...READ, values: [vendorId] });
    return rows[0] ?? null;
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/** @throws {DatabaseUnavailableError} when it is not known to be written; writing the same again is safe. */
export async function writeVendorSettings(
  pool: Pool,
  vendorId: VendorId,
  { timeZone }: VendorSettings,
): Promise<void> {
  try {
    await pool.query({ ...WRITE, values: [vendorId, timeZone] });
  } catch (error) {
    throw toDatabaseError(error);
  }
}
