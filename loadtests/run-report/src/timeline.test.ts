import { expect, test } from "vitest";
import { createTimeline, latencyOf } from "./timeline.ts";

test("counts fall into their seconds, and what two processes recorded adds up", () => {
  const [a, b] = [createTimeline(), createTimeline()];
  a.offer("orders", 5_000, 1);
  a.offer("orders", 5_999, 3);
  a.count("orders", "acknowledged", 6_000);
  b.offer("orders", 5_500, 2);
  b.deliver("orders", 5_600, 12);
  a.connections(5_100, 3);
  b.connections(5_900, 4);
  b.mark(5_200, "cut");
  a.merge(b.record());
  const { paths, connections, marks } = a.record();
  expect(paths.orders?.map(([second, counts]) => [second, counts])).toEqual([
    [5, [3, 0, 0, 1, 6]],
    [6, [0, 1, 0, 0, 0]],
  ]);
  expect(connections).toEqual([[5, 7]]);
  expect(marks).toEqual([{ atMs: 5_200, label: "cut" }]);
});

test("percentiles are those of all deliveries, to 2.2 %", () => {
  const timeline = createTimeline();
  for (let ms = 1; ms <= 1_000; ms++) timeline.deliver("chat", ms * 10, ms);
  const latency = latencyOf(timeline.record(), "chat");
  expect((latency?.p50 ?? 0) / 500).toBeCloseTo(1, 1);
  expect(Math.abs((latency?.p99 ?? 0) / 990 - 1)).toBeLessThan(0.022);
  expect(latencyOf(timeline.record(), "orders")).toBeNull();
});
