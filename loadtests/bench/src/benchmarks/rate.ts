import type { Benchmark, Contestant } from "../benchmark.ts";
import type { FanoutSpec } from "../generator/specs.ts";
import type { Lab } from "../lab.ts";
import { cpuMicros } from "../process-cost.ts";
import { FANOUT_COLUMNS, FANOUT_CONTESTANTS, type FanoutName } from "./fanout.ts";

const SUBSCRIBERS = 1_000;
const CALIBRATION_PER_SECOND = 50;

/** Half, and twice, of what one core can carry with one write for each message and subscriber. */
export const rateBenchmark: Benchmark = {
  name: "rate",
  title:
    "One topic, 1,000 subscribers, half and twice as much published as one core carries one write at a time (sse)",
  contestants: [
    atRate("floor+nats", "floor+nats half", 0.5),
    atRate("platform", "platform", 0.5),
    atRate("platform", "platform twice", 2),
  ],
  columns: FANOUT_COLUMNS,
  targets: [
    {
      what: "twice as much as one write at a time carries, CPU per message",
      figure: "cpuMicrosEach",
      of: "platform twice",
      against: "platform",
      atMost: 1,
    },
    {
      what: "twice as much as one write at a time carries, lost",
      figure: "lost",
      of: "platform twice",
      against: null,
      atMost: 0,
    },
    {
      what: "publish to delivery, p99, 1,000 subscribers at half load",
      figure: "p99Ms",
      of: "platform",
      against: "floor+nats half",
      atMost: 1.5,
    },
  ],
  notes: ["What one core carries is the floor's cost of a message, measured first."],
};

function atRate(contestant: FanoutName, name: string, share: number): Contestant {
  const size = { connections: SUBSCRIBERS, topics: 1, perSecond: CALIBRATION_PER_SECOND, burst: 1 };
  const plain = FANOUT_CONTESTANTS[contestant]("sse", size);
  return {
    name,
    async start(lab) {
      const started = await plain.start(lab);
      const perSecond = Math.round((await capacityPerSecond(lab)) * share);
      return {
        ...started,
        load: async () => ({ ...((await started.load?.()) as FanoutSpec), perSecond }),
      };
    },
  };
}

/** Messages a second that the floor's cost leaves room for on one core. */
async function capacityPerSecond(lab: Lab): Promise<number> {
  return await lab.once("one core's capacity", async () => {
    const size = {
      connections: SUBSCRIBERS,
      topics: 1,
      perSecond: CALIBRATION_PER_SECOND,
      burst: 1,
    };
    const floor = await FANOUT_CONTESTANTS.floor("sse", size).start(lab);
    try {
      let micros = 0;
      const spec = (await floor.load?.()) as FanoutSpec;
      const { delivered = 0 } = await lab.generator.run(spec, {
        onBegin: () => {
          micros -= cpuMicros(floor.pids());
        },
        onEnd: () => {
          micros += cpuMicros(floor.pids());
        },
      });
      return 1_000_000 / (micros / delivered) / SUBSCRIBERS;
    } finally {
      await floor.stop();
    }
  });
}
