import { ensureStreams } from "@localstreet/bus/streams";
import { expect, test } from "vitest";
import { publishOrder, startMarketplace } from "./marketplace.ts";

test("S1 S6: streams are created once, updated where settings changed, and never recreated", async () => {
  await using market = await startMarketplace({ vendorMaxAgeSeconds: 3_600 });
  const publisher = await market.connect("publisher");
  await publishOrder(publisher, "bakery", "order-1");
  const before = await market.streams.info("VENDOR");
  await Promise.all(
    [1, 2, 3].map(() => ensureStreams(market.admin, { vendorMaxAgeSeconds: 7_200 })),
  );
  const after = await market.streams.info("VENDOR");
  expect(after.config).toEqual({ ...before.config, max_age: 7_200 * 1_000_000_000 });
  expect(after.config.description).toMatch(/^epoch:[a-z0-9]{8}$/);
  expect(after.created).toBe(before.created);
  expect(after.state.messages).toBe(1);
});

test("S1 S2: the log refuses new events when it is full, knows duplicates for an hour, and is on disk", async () => {
  await using market = await startMarketplace();
  const { config } = await market.streams.info("VENDOR");
  expect(config).toMatchObject({
    subjects: ["vendor.*.orders"],
    storage: "file",
    discard: "new",
    max_age: 7 * 24 * 3_600 * 1_000_000_000,
    max_bytes: 4 * 1024 ** 3,
    duplicate_window: 3_600 * 1_000_000_000,
    allow_direct: true,
  });
});

test("S1: several that create the streams at once agree on one epoch", async () => {
  await using market = await startMarketplace();
  await market.streams.delete("VENDOR");
  const buses = await Promise.all([1, 2, 3, 4].map(() => market.connect("admin")));
  await Promise.all(buses.map((bus) => ensureStreams(bus)));
  const { config } = await market.streams.info("VENDOR");
  expect(config.description).toMatch(/^epoch:[a-z0-9]{8}$/);
});
