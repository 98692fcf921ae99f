import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { FAULTS, formatVerdict, type Verdict } from "../src/judge.ts";
import { LIES, SHOWS_ON } from "../src/lies/lies.ts";
import { formatHearings, type Hearing, hearLies, hearServer } from "../src/lies/run-lies.ts";

const wrongRows = (verdict: Verdict) => FAULTS.filter((row) => verdict[row]);

/** At two vendors in six rounds: sixty, and one that is answered; and one that rings in the first. */
const ORDERS = 2 * (6 * 61 + 1);

let heard: readonly Hearing[];

beforeAll(async () => {
  heard = await hearLies();
  console.log(formatHearings(heard));
}, 60_000);

test("the table of lies in docs/oracle.md is the one that is tested", async () => {
  const page = await readFile(new URL("../../../docs/oracle.md", import.meta.url), "utf8");
  const table = page.slice(page.indexOf("| path | lie |")).trim().split("\n").slice(2);
  expect(table).toEqual(
    LIES.map(({ path, lie, row }) => `| ${path} | the server ${lie} | ${row} |`),
  );
});

test("an honest server is not accused, though it cuts every connection", async () => {
  const verdicts = await hearServer(null);
  for (const verdict of verdicts) {
    expect(verdict.ok, formatVerdict(verdict)).toBe(true);
    expect(verdict.droppedByClients).not.toHaveProperty("repeated");
    expect(verdict.unknown + verdict.refused).toBe(0);
  }
  const [orders, dashboard, chat, tracking] = verdicts;
  expect(orders).toMatchObject({
    offered: ORDERS,
    delivered: ORDERS * 2,
    verdicts: { complete: 4, fresh: 4 },
  });
  // Each answered order tells its answer, and the two that ring four reminders, an escalation and an expiry.
  expect(orders?.events).toBeGreaterThanOrEqual(12 + 2 * 6);
  expect(dashboard).toMatchObject({ offered: ORDERS + 24, owed: ORDERS });
  expect(chat).toMatchObject({ offered: 24, delivered: 3 * 24, acknowledgedNotStored: 0 });
  expect(tracking).toMatchObject({ offered: 12, acknowledged: 12 });
});

describe("each lie is found by the right row, and nothing else is accused", () => {
  test.each(LIES.map((lie, index) => ({ ...lie, index })))(
    "$path: the server $lie: $row",
    (lie) => {
      const hearing = heard[lie.index];
      expect(hearing?.found).toBeGreaterThan(0);
      for (const verdict of hearing?.verdicts ?? []) {
        const isLiedOn = SHOWS_ON[lie.path].includes(verdict.path);
        const allowed: readonly string[] = isLiedOn ? [lie.row, ...(lie.also ?? [])] : [];
        expect(
          wrongRows(verdict).filter((row) => !allowed.includes(row)),
          formatVerdict(verdict),
        ).toEqual([]);
      }
    },
  );
});
