import { z } from "zod";

/** What of a list could be read, and what could not. */
export interface ReadableRows<Row> {
  readonly rows: readonly Row[];
  readonly unreadable: readonly unknown[];
}

/** A list whose rows are checked one by one: a bad one is set aside, and hides no other. */
export function readableRows<S extends z.ZodType>(schema: S) {
  return z.array(z.unknown()).transform((values): ReadableRows<z.infer<S>> => {
    const rows: z.infer<S>[] = [];
    const unreadable: unknown[] = [];
    for (const value of values) {
      const parsed = schema.safeParse(value);
      if (parsed.success) rows.push(parsed.data);
      else unreadable.push(value);
    }
    return { rows, unreadable };
  });
}
