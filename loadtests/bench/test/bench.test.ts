import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { fanoutBenchmark } from "../src/benchmarks/fanout.ts";
import { judgeTargets } from "../src/judge-targets.ts";
import { openLab } from "../src/lab.ts";
import { limitMissing } from "../src/limit-server.ts";
import { formatReport } from "../src/report.ts";
import { runBenchmark } from "../src/run-benchmark.ts";

const dir = await mkdtemp(join(tmpdir(), "localstreet-bench-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

const SETTINGS = { rounds: 2, windowMs: 500, warmUpMs: 100, profileDir: undefined };

test.skipIf(process.platform !== "linux")(
  "a benchmark measures its baselines, loses nothing and says what it could not measure",
  async () => {
    const lab = await openLab(SETTINGS, dir);
    try {
      const fanout = fanoutBenchmark({
        name: "small",
        title: "100 subscribers",
        transport: "sse",
        size: { connections: 100, topics: 1, perSecond: 40, burst: 1 },
        names: ["limit", "floor"],
        targets: [
          { what: "cost", figure: "cpuMicrosEach", of: "floor", against: "nchan", atMost: 1 },
        ],
      });
      const contestants = [
        ...fanout.contestants,
        {
          name: "nchan",
          missing: () => "nginx has no nchan module: apt-get install libnginx-mod-nchan",
          start: () => Promise.reject(new Error("must not be started")),
        },
      ];
      const result = await runBenchmark(lab, { ...fanout, contestants }, () => {});

      const floor = result.contestants.find(({ name }) => name === "floor")!;
      expect(floor.rounds).toHaveLength(2);
      for (const figures of floor.rounds) {
        expect(figures).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, broken: 0 });
        expect(figures!.delivered).toBeGreaterThanOrEqual(1_000);
        expect(figures!.cpuMicrosEach).toBeGreaterThan(0);
        expect(figures!.generatorShare).toBeLessThan(1);
      }
      const limit = result.contestants.find(({ name }) => name === "limit")!;
      if (limitMissing() === null) expect(limit.rounds[0]).toMatchObject({ lost: 0 });

      const report = formatReport([result], { at: "now", rounds: 2, seconds: 0.5, versions: {} });
      expect(report).toContain("not measured: nginx has no nchan module");
      expect(judgeTargets(result).map(({ verdict }) => verdict)).toEqual(["not measured"]);
    } finally {
      await lab.close();
    }
  },
  60_000,
);
