import { expect, test } from "vitest";
import { sumMetric } from "./platform-metrics.ts";

const text = `# TYPE signals_total counter
signals_total{outcome="sent",replica="a"} 3
signals_total{outcome="unwatched",replica="a"} 40
# TYPE commits histogram
commits_count{replica="a"} 7
`;

test("a counter is summed over the labels that are not named", () => {
  expect(sumMetric(text, "signals_total")).toBe(43);
  expect(sumMetric(text, "signals_total", { outcome: "sent" })).toBe(3);
  expect(sumMetric(text, "commits_count")).toBe(7);
});

test("a metric that does not exist is an error, not zero", () => {
  expect(() => sumMetric(text, "signals")).toThrow("signals");
});
