import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BROWSER, findProgram } from "@localstreet/local/ensure-programs";
import type { HeardEvent } from "@localstreet/oracle/stream-recorder";
import { chromium } from "playwright-core";
import { HEARD_EVENTS } from "./heard-events.ts";
import type { SeamClient } from "./seam-client.ts";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** How often a page hands over what it has heard, in milliseconds. */
const HAND_OVER_MS = 20;

/** A browser's own EventSource, with the session's cookie, on a page for each stream. */
export const chromiumEventSource: SeamClient = {
  name: "EventSource in Chromium",
  async open({ origins, path, token, hear }) {
    const executablePath = findProgram(BROWSER);
    if (executablePath === null) throw new Error("no Chromium is installed");
    const profile = mkdtempSync(join(tmpdir(), "localstreet-seam-"));
    const browser = await chromium.launchPersistentContext(profile, {
      executablePath,
      headless: true,
      args: FLAGS,
    });
    for (const [stream, origin] of origins.entries()) {
      const page = await browser.newPage();
      await page.exposeFunction("handOver", (heard: HeardEvent[]) => {
        for (const event of heard) hear(stream, event);
      });
      // Any page of the origin will do, and one that is nothing loads nothing.
      await page.goto(`${origin}/api/nothing`);
      await page.evaluate(listen, { path, token, events: HEARD_EVENTS, everyMs: HAND_OVER_MS });
    }
    return {
      async close() {
        await browser.close();
        rmSync(profile, { recursive: true, force: true });
      },
    };
  },
};

interface Listening {
  readonly path: string;
  readonly token: string;
  readonly events: readonly string[];
  readonly everyMs: number;
}

/** What the page needs of its surroundings, which this program has not. */
interface BrowserEventSource {
  addEventListener(
    event: string,
    hear: (event: { lastEventId: string; data: string }) => void,
  ): void;
}

/** Runs in the page. */
async function listen({ path, token, events, everyMs }: Listening): Promise<void> {
  const page = globalThis as unknown as {
    handOver(heard: HeardEvent[]): Promise<void>;
    EventSource: new (path: string) => BrowserEventSource;
  };
  const authorization = `Bearer ${token}`;
  const answer = await fetch("/api/auth/session", { method: "POST", headers: { authorization } });
  if (answer.status !== 204) throw new Error(`no session: ${answer.status}`);
  let heard: HeardEvent[] = [];
  const source = new page.EventSource(path);
  for (const event of events) {
    source.addEventListener(event, ({ lastEventId, data }) => {
      heard.push({ event, id: lastEventId, data });
    });
  }
  setInterval(() => {
    if (heard.length === 0) return;
    const told = heard;
    heard = [];
    page.handOver(told).catch((error) => console.error(error));
  }, everyMs);
}
