import {
  ordersSnapshotSchema,
  type RecordedOrder,
  recordedOrderSchema,
} from "@localstreet/contracts/order-answers";
import { z } from "zod";
import { readableRows } from "../readable-rows.ts";

const pageSchema = ordersSnapshotSchema.extend({
  orders: readableRows(recordedOrderSchema),
  // An older server has no further pages.
  next: z.string().nullable().default(null),
});

/** What the record holds for a desk (PROTOCOL.md S25). */
export interface ReadOrders {
  /** From where the stream makes it whole. */
  readonly asOf: string;
  /** It holds everything that was stored when it was asked for, nothing set aside (S44), and `asOf` is behind that. */
  readonly current: boolean;
  readonly orders: readonly RecordedOrder[];
  /** Rows that could not be read, of each of the two lists. */
  readonly unreadable: readonly (readonly unknown[])[];
  /** More orders wait than are read. */
  readonly more: boolean;
}

const RECENT_ORDERS = 30;
/** 5,000 orders of 100 a page: nobody answers more from one page. */
const MOST_PAGES = 50;

/** Reads the newest orders, and every page of the open ones. @throws as `fetchJson`. */
export async function readOrders(
  get: <S extends z.ZodType>(query: string, schema: S) => Promise<z.infer<S>>,
): Promise<ReadOrders> {
  // What happens between two reads is in the later one, and comes with the stream again: it changes nothing then.
  const recent = await get(`?state=all&limit=${RECENT_ORDERS}`, pageSchema);
  const open: RecordedOrder[] = [];
  const unreadable: unknown[] = [];
  let { current } = recent;
  let next: string | null = "";
  for (let pages = 0; next !== null && pages < MOST_PAGES; pages += 1) {
    const after: string = next && `&after=${encodeURIComponent(next)}`;
    const page: z.infer<typeof pageSchema> = await get(`?state=open${after}`, pageSchema);
    open.push(...page.orders.rows);
    unreadable.push(...page.orders.unreadable);
    current &&= page.current;
    next = page.next;
    // An older server says that there are more, and not where.
    if (page.more && next === null) return result(true);
  }
  return result(next !== null);

  function result(more: boolean): ReadOrders {
    return {
      asOf: recent.asOf,
      current,
      // The later read of an order takes the place of the earlier one.
      orders: [...recent.orders.rows, ...open],
      unreadable: [recent.orders.unreadable, unreadable],
      more,
    };
  }
}
