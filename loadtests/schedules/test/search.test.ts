import { runSearch } from "@localstreet/schedules/run-search";
import { expect, test } from "vitest";
import { MUTANTS } from "../src/mutants.ts";

test("S5 S6 S11 S46: in some seconds of schedules no acknowledged order is lost, repeated or misordered untold", async () => {
  // The same seeds each time: a change is judged by its own doing. New ones are for `npm run schedules`.
  const { found, schedules } = await runSearch({ from: 1, count: 4_000, seconds: 8 });
  expect(found, "again: npm run schedules -- --seed <seed>").toBeNull();
  expect(schedules).toBeGreaterThan(50);
}, 60_000);

test("the same seeds give the same traces in two processes", async () => {
  const run = () => runSearch({ from: 7_000, count: 40, seconds: 60, trace: true });
  const [one, two] = await Promise.all([run(), run()]);
  expect(one.trace).toMatch(/^[0-9a-f]{64}$/);
  expect(two.trace).toBe(one.trace);
}, 120_000);

test("the search finds what is broken", async () => {
  const mutant = MUTANTS.find(({ name }) => name === "what came and went is not looked for");
  if (!mutant) throw new Error("there is no such mutant");
  const { found } = await runSearch({ from: 1, count: 1e9, seconds: 40, mutant });
  expect(found?.kind).toBe("missing");
}, 120_000);
