import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { judge } from "@localstreet/oracle/judge";
import { afterAll, expect, test } from "vitest";
import { isClean, type RunRecord, summarise } from "../src/run-record.ts";
import { saveRun } from "../src/save-run.ts";
import { TimedLedger } from "../src/timed-ledger.ts";
import { createTimeline } from "../src/timeline.ts";

const dir = mkdtempSync(join(tmpdir(), "localstreet-page-"));
afterAll(() => rmSync(dir, { recursive: true }));

function runOf(lost: number): RunRecord {
  const timeline = createTimeline();
  const ledger = new TimedLedger("orders", timeline);
  for (let order = 0; order < 20; order++) {
    const key = `order-${order}`;
    ledger.offer(key, { audience: ["desk"], atMs: 1_000 });
    ledger.acknowledge(key, { atMs: 1_005 });
    if (order >= lost) ledger.receive("desk", { key, atMs: 1_012 });
  }
  timeline.mark(Date.now(), "a cut <b>");
  return {
    scenario: "vendor-streams",
    description: "Shops & their devices.",
    target: "http://127.0.0.1:1",
    startedAtMs: Date.now() - 2_000,
    endedAtMs: Date.now() + 1_000,
    size: "1 shop",
    verdicts: [judge(ledger)],
    faults: [],
    timeline: timeline.record(),
    generatorShare: 0.25,
  };
}

function readPage(run: RunRecord): string {
  return readFileSync(join(saveRun(run, dir), "run.html"), "utf8");
}

test("the page says on top what came of the run", () => {
  expect(readPage(runOf(0))).toMatch(/<h1>Nothing was lost: 20 deliveries/);
  const broken = readPage(runOf(3));
  expect(broken).toMatch(/<header class="broken">.*<h1>orders: 3 lost<\/h1>/s);
  expect(broken).toContain("<svg");
});

test("the page needs nothing from elsewhere, and shows text as text", () => {
  const page = readPage(runOf(0));
  expect(page).not.toMatch(/<(?:script|link|img)|url\(|@import| src=/);
  expect(page).toContain("a cut &#60;b&#62;");
  expect(page).not.toContain('<b>"');
});

test("a run in which nothing happened has not passed", () => {
  const run = { ...runOf(0), verdicts: [judge(new TimedLedger("chat", createTimeline()))] };
  expect(isClean(run)).toBe(false);
  expect(summarise(run)).toBe("Nothing was acknowledged, and so nothing shown: chat.");
  expect(isClean({ ...run, verdicts: [] })).toBe(false);
});
