import { until } from "@localstreet/testkit/wait";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Platform } from "../src/platform.ts";
import { launchChromium, needsBrowser } from "./chromium.ts";
import { createMarketplace, startTestPlatform } from "./marketplace.ts";

let platform: Platform;
let stop: () => Promise<void>;
let browser: BrowserContext;
let closeBrowser: () => Promise<void>;

beforeAll(async () => {
  if (needsBrowser.skip) return;
  ({ platform, stop } = await startTestPlatform({
    simulator: true,
    env: { SIMULATOR_SPEED: "3" },
  }));
  ({ browser, close: closeBrowser } = await launchChromium());
});

afterAll(async () => {
  await closeBrowser?.();
  await stop?.();
});

/** A page, with everything that went wrong on it. */
async function openPage(): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  return { page, faults };
}

test(
  "within a minute the page shows orders, a chat and a courier that moves",
  needsBrowser,
  async () => {
    const { page, faults } = await openPage();
    const positions = new Set<string>();
    page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => {
        const frame = JSON.parse(String(payload));
        if (frame.type === "location-update") positions.add(`${frame.lat},${frame.lng}`);
      });
    });
    await page.goto(platform.url);
    const appears = { state: "visible", timeout: 60_000 } as const;
    await Promise.all([
      page.locator(".orders li.order").first().waitFor(appears),
      page.locator(".chat li.message").first().waitFor(appears),
      page.locator(".delivery canvas").first().waitFor(appears),
      until(() => positions.size >= 2, { what: "a courier that moves", timeoutMs: 60_000 }),
    ]);
    expect(faults).toEqual([]);
    await page.close();
  },
);

test(
  "S20 S21 S38: an order rings on every page until somebody looks, and is over everywhere once it is answered",
  needsBrowser,
  async () => {
    const market = createMarketplace(platform);
    const token = await market.vendorToken("two-page-shop");
    const openDesk = async () => {
      const { page } = await openPage();
      await page.goto(platform.url);
      await page.locator("summary", { hasText: "Own token" }).click();
      await page.getByLabel("Vendor id").fill("two-page-shop");
      await page.getByLabel("Token of its staff").fill(token);
      await page.getByRole("button", { name: "Use these" }).click();
      await page.locator(".orders .quiet", { hasText: "Listening" }).waitFor();
      return page;
    };
    const [one, two] = [await openDesk(), await openDesk()];
    const order = (page: Page, orderId: string) => page.locator(`[data-order="${orderId}"]`);
    const toAnswer = (count: number) =>
      one.locator(".figure", { hasText: "To answer" }).locator("dd", { hasText: `${count}` });

    expect((await market.postOrder("two-page-shop", "rings")).status).toBe(202);
    for (const page of [one, two]) await page.locator(".order-ringing").waitFor();
    await toAnswer(1).waitFor();
    // A card that has just moved takes no click.
    await until(
      async () => {
        await order(one, "rings").locator("strong").first().click();
        return await order(two, "rings").getByText("Seen").isVisible();
      },
      { what: "the order is seen on the other page", timeoutMs: 20_000 },
    );
    expect(await two.locator(".order-ringing").count()).toBe(0);
    await order(two, "rings").getByRole("button", { name: "Accept" }).click();
    await order(two, "rings").getByText("by you").waitFor();
    await order(one, "rings").getByText("Accepted").waitFor();
    expect(await order(one, "rings").getByRole("button").count()).toBe(0);
    await toAnswer(0).waitFor();
    await Promise.all([one.close(), two.close()]);
  },
);

test(
  "S5 A3 A5: a browser's own EventSource, with its cookie, survives the death of its replica",
  needsBrowser,
  async () => {
    const market = createMarketplace(platform);
    const { page } = await openPage();
    await page.goto(platform.url);
    const token = await market.vendorToken("eventsource-shop");
    await page.evaluate(async (bearer) => {
      const answer = await fetch("/api/auth/session", {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}` },
      });
      if (answer.status !== 204) throw new Error(`no session: ${answer.status}`);
      const received: string[] = [];
      Object.assign(globalThis, { received });
      const source = new EventSource("/api/vendor/eventsource-shop/notifications/stream");
      source.addEventListener("resume", () => received.push("resume"));
      source.addEventListener("new-order", (event) =>
        received.push(JSON.parse((event as Event & { data: string }).data).orderId),
      );
    }, token);
    const received = () =>
      page.evaluate(() => (globalThis as unknown as { received: string[] }).received);
    const untilReceived = (item: string, times = 1) =>
      until(async () => (await received()).filter((it) => it === item).length === times, {
        what: `${item}, ${times} times`,
        timeoutMs: 20_000,
      });

    await untilReceived("resume");
    expect((await market.postOrder("eventsource-shop", "first")).status).toBe(202);
    await untilReceived("first");
    // One after the other, as one of them has the stream.
    for (const name of ["notification-sse-1", "notification-sse-2"]) {
      await platform.replica(name).kill("SIGKILL");
      await until(
        async () => {
          const { adminUrl } = platform.replica(name);
          return (await fetch(`${adminUrl}/readyz`).catch(() => null))?.ok === true;
        },
        { what: `${name} is back`, timeoutMs: 20_000 },
      );
    }
    await until(async () => (await received()).filter((item) => item === "resume").length >= 2, {
      what: "the stream is resumed",
      timeoutMs: 20_000,
    });
    await until(async () => (await market.postOrder("eventsource-shop", "second")).status === 202, {
      what: "an order is accepted",
    });
    await untilReceived("second");
    expect((await received()).filter((item) => item !== "resume")).toEqual(["first", "second"]);
    await page.close();
  },
);
