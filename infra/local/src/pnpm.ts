import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";

/** How to run a tool of the checkout through the pnpm that package.json pins. */
export function pnpmExec(...args: string[]): { command: string; args: string[] } {
  const { packageManager } = JSON.parse(readFileSync(join(CHECKOUT, "package.json"), "utf8"));
  return { command: "npx", args: ["-y", packageManager, "exec", ...args] };
}

/** Tools of the checkout report nothing about themselves to anybody. */
export const QUIET_TOOLS = {
  CI: "true",
  TURBO_TELEMETRY_DISABLED: "1",
  DO_NOT_TRACK: "1",
  CHECKPOINT_DISABLE: "1",
  NO_UPDATE_NOTIFIER: "1",
} as const;
