#!/usr/bin/env node
// The Prisma CLI with the schema engine beside this file, and without its telemetry: `node prisma/prisma.mjs generate`.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const cli = join(
  dirname(createRequire(import.meta.url).resolve("prisma/package.json")),
  "build/index.js",
);
const { status } = spawnSync(process.execPath, [cli, ...process.argv.slice(2)], {
  cwd: dirname(here),
  stdio: "inherit",
  env: {
    // biome-ignore lint/style/noProcessEnv: this is a program of its own.
    ...process.env,
    PRISMA_SCHEMA_ENGINE_BINARY: join(here, "schema-engine.mjs"),
    CHECKPOINT_DISABLE: "1",
    PRISMA_HIDE_UPDATE_MESSAGE: "1",
  },
});
process.exit(status ?? 1);
