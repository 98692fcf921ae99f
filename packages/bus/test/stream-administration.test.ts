import {
  deleteStream,
  purgeStream,
  readStreamLeader,
} from "@localstreet/bus/stream-administration";
import { ensureStreams } from "@localstreet/bus/streams";
import { expect, test } from "vitest";
import { publishOrder, startMarketplace } from "./marketplace.ts";

test("S6 S8: a purge keeps the log's epoch and numbers on, a deleted log comes back as another one", async () => {
  await using market = await startMarketplace();
  const { admin } = market;
  const publisher = await market.connect("publisher");
  const ids = [];
  for (const orderId of ["one", "two", "three"]) {
    ids.push((await publishOrder(publisher, "bakery", orderId)).id);
  }
  const epochOf = (id: string) => id.split("-")[0];

  expect(await purgeStream(admin, "VENDOR", 1)).toBe(2);
  const fourth = await publishOrder(publisher, "bakery", "four");
  expect(fourth.sequence).toBe(4);
  expect(await purgeStream(admin, "VENDOR")).toBe(2);

  await deleteStream(admin, "VENDOR");
  await ensureStreams(admin);
  // A publisher of its own: one that is connected already may know the old epoch for some seconds.
  const first = await publishOrder(await market.connect("publisher"), "bakery", "one");
  expect(first.sequence).toBe(1);
  expect(epochOf(first.id)).not.toBe(epochOf(ids[0] ?? ""));
  expect(await readStreamLeader(admin, "VENDOR")).toBe(null);
});
