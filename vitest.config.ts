import { defineConfig } from "vitest/config";
import { TotalsReporter } from "./infra/local/src/totals-reporter.ts";

// Tests run from source; `pnpm build` is not needed before them.
const shared = {
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
};

export default defineConfig({
  test: {
    reporters: ["default", new TotalsReporter()],
    projects: [
      {
        ...shared,
        test: {
          name: "integration",
          include: ["{packages,services,infra,loadtests}/*/{src,test}/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**", "**/*.e2e.test.ts"],
          testTimeout: 20_000,
          hookTimeout: 30_000,
          // They wait for servers more than they compute: more at once than there are cores.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...shared,
        test: {
          name: "e2e",
          include: ["{infra/local,loadtests/faults}/test/**/*.e2e.test.ts"],
          // Each file runs a whole platform; one at a time is what two cores carry.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
