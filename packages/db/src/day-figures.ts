import type { VendorId } from "@localstreet/contracts/ids";
import { toDatabaseError } from "./database-error.ts";
import type { Pool } from "./pool.ts";

/** What a vendor's dashboard shows of the record. Amounts are in the currency's minor unit. */
export interface DayFigures {
  /** Orders placed within the time that was asked for, those that came to nothing left out; `revenue` is theirs. */
  readonly orders: number;
  readonly revenue: readonly { readonly currency: string; readonly amount: number }[];
  /** Orders of any time that nobody has answered. */
  readonly openOrders: number;
  /** Conversations of the last 30 days whose newest message is the buyer's. */
  readonly unreadChats: number;
  /** The newest event of the log that is in the figures; 0 when none is. */
  readonly sequence: number;
  /** When they were read, by the clock of Postgres. */
  readonly at: Date;
}

// One statement, so one snapshot: what `sequence` says is true of the figures beside it.
const FIGURES = {
  name: "day-figures",
  text: `WITH sold AS (
      SELECT currency, count(*) AS orders, sum(total)::bigint AS amount FROM orders
      WHERE vendor_id = $1 AND placed_at >= $2 AND placed_at < $3
        AND status NOT IN ('rejected', 'cancelled', 'expired')
      GROUP BY currency
    )
    SELECT
      (SELECT coalesce(sum(orders), 0)::int FROM sold) AS orders,
      (SELECT coalesce(json_agg(json_build_object('currency', currency, 'amount', amount) ORDER BY currency), '[]')
        FROM sold) AS revenue,
      (SELECT count(*)::int FROM orders WHERE vendor_id = $1 AND status = 'placed') AS "openOrders",
      (SELECT count(*)::int FROM conversations c JOIN messages m ON m.conversation_id = c.id AND m.seq = c.last_seq
        WHERE c.vendor_id = $1 AND c.last_at > now() - interval '30 days' AND m.side = 'buyer') AS "unreadChats",
      coalesce((SELECT sequence FROM projections WHERE name = 'orders'), 0)::float8 AS sequence, now() AS at`,
};

/**
 * The figures of a vendor for orders with `from <= placedAt < until`.
 *
 * @throws {DatabaseUnavailableError}
 */
export async function readDayFigures(
  pool: Pool,
  options: { vendorId: VendorId; from: Date; until: Date },
): Promise<DayFigures> {
  const { vendorId, from, until } = options;
  try {
    const { rows } = await pool.query<DayFigures>({ ...FIGURES, values: [vendorId, from, until] });
    return rows[0] as DayFigures;
  } catch (error) {
    throw toDatabaseError(error);
  }
}
