import { startTestStores, type TestStores } from "@localstreet/testkit/stores";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBoth } from "./both.ts";
import { chooseCommand, type Known } from "./commands.ts";
import { Random } from "./random.ts";

const SEEDS = 20;
const COMMANDS = 60;

let stores: TestStores<{ nats: true }>;
beforeAll(async () => {
  stores = await startTestStores({ nats: true });
});
afterAll(() => stores?.stop());

/** Runs commands of a seed on both; every answer, live copy and pulled message is equal after each. */
async function runSeed(seed: number): Promise<void> {
  await using both = await openBoth(stores);
  const { model, real, modelled } = both;
  const random = new Random(seed);
  const names: string[] = [];
  const ids: string[] = [];
  let kept: Awaited<ReturnType<typeof both.backup>> | null = null;
  const trace: string[] = [`seed ${seed}`];

  for (let step = 0; step < COMMANDS; step++) {
    const rare = random.below(40);
    if (rare === 0) {
      trace.push("made anew");
      await both.makeAnew();
    } else if (rare === 1 || (rare === 2 && !kept)) {
      trace.push("backup");
      kept = await both.backup();
    } else if (rare <= 3 && kept) {
      trace.push("restored");
      await both.restore(kept);
    } else {
      const state = model.log.state({ deletedDetails: true });
      const consumers = [...model.log.leader.consumers.values()].filter(({ name }) =>
        names.includes(name),
      );
      const known: Known = {
        firstSequence: state.first_seq,
        lastSequence: state.last_seq,
        newestSequence: model.log.leader.messages.at(-1)?.sequence ?? 0,
        deleted: state.deleted ?? [],
        ids,
        consumers: consumers.map(({ name }) => name),
        idleConsumers: consumers.flatMap(({ name, waitingCount }) =>
          waitingCount === 0 ? [name] : [],
        ),
        nextName() {
          names.push(`n${names.length + 1}`);
          ids.push(`n${names.length}`);
          return `n${names.length}`;
        },
      };
      const command = chooseCommand(random, known);
      trace.push(command.what);
      const said = await outcome(command.run(modelled));
      expect(await outcome(command.run(real)), trace.join("\n")).toEqual(said);
      await modelled.bus.flush();
      if (command.waitMs !== undefined) both.passTime(command.waitMs);
    }
    await modelled.bus.flush();
    await real.settle(modelled);
    expect(real.seen(), trace.join("\n")).toEqual(modelled.seen());
  }
}

/** An error is an answer too. */
async function outcome(run: Promise<unknown>): Promise<unknown> {
  try {
    return { said: await run };
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message };
  }
}

// Others by name: MODEL_SEEDS=7,1042. The trace of a failure begins with its seed.
const seeds =
  process.env.MODEL_SEEDS?.split(",").map(Number) ??
  Array.from({ length: SEEDS }, (_, index) => index + 1);

describe("the model says what a real nats-server says", () => {
  for (const seed of seeds) test(`seed ${seed}`, () => runSeed(seed));
});
