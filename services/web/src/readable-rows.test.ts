import { expect, test } from "vitest";
import { z } from "zod";
import { readableRows } from "./readable-rows.ts";

test("a bad row is set aside and hides no other", () => {
  const schema = z.object({ rows: readableRows(z.object({ id: z.string() })) });
  const bad = [null, 5, {}, { id: 1 }, [], "x"];
  const good = [{ id: "a" }, { id: "b" }];
  expect(schema.parse({ rows: [bad[0], good[0], ...bad.slice(1), good[1]] })).toEqual({
    rows: { rows: good, unreadable: bad },
  });
  expect(schema.safeParse({ rows: "none" }).success).toBe(false);
});
