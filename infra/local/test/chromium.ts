import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium } from "playwright-core";
import { BROWSER, findProgram } from "../src/ensure-programs.ts";

const executablePath = findProgram(BROWSER);

/** For tests that need Chromium: they are skipped where there is none. */
export const needsBrowser = { skip: executablePath === null, timeout: 120_000 };

/** Chromium with a profile of its own. */
export async function launchChromium(
  options: { ignoreHTTPSErrors?: boolean } = {},
): Promise<{ browser: BrowserContext; close(): Promise<void> }> {
  if (executablePath === null) throw new Error("Chromium is not installed");
  const profile = await mkdtemp(join(tmpdir(), "localstreet-chromium-"));
  const browser = await chromium.launchPersistentContext(profile, {
    ...options,
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return {
    browser,
    async close() {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
