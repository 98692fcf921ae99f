import { until } from "@localstreet/testkit/wait";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Platform } from "../src/platform.ts";
import { launchChromium, needsBrowser } from "./chromium.ts";
import { createMarketplace, startTestPlatform } from "./marketplace.ts";

let platform: Platform;
let market: ReturnType<typeof createMarketplace>;
let stop: () => Promise<void>;
let browser: BrowserContext;
let closeBrowser: () => Promise<void>;

beforeAll(async () => {
  if (needsBrowser.skip) return;
  ({ platform, stop } = await startTestPlatform({
    replicas: { "chat-ws": 1, "tracking-ingest": 1, "tracking-fanout": 1 },
    tls: {},
  }));
  market = createMarketplace(platform);
  // The certificate is signed by itself.
  ({ browser, close: closeBrowser } = await launchChromium({ ignoreHTTPSErrors: true }));
});

afterAll(async () => {
  await closeBrowser?.();
  await stop?.();
});

/** What the scripts below keep on the page. */
interface OnPage {
  /** `[source, event, lastEventId, orderId or verdict]`, as the page's EventSources dispatched them. */
  dispatched: [number, string, string, string][];
  sources: EventSource[];
  renew(): Promise<void>;
}

/** A page of the platform with a session; the page gets its tokens from `nextToken`, as from its own backend. */
async function openPage(url: string, nextToken: () => Promise<string>): Promise<Page> {
  const page = await browser.newPage();
  await page.exposeFunction("nextToken", nextToken);
  await page.goto(url);
  await page.evaluate(async () => {
    const onPage = globalThis as unknown as OnPage & { nextToken(): Promise<string> };
    onPage.dispatched = [];
    onPage.sources = [];
    onPage.renew = async () => {
      const authorization = `Bearer ${await onPage.nextToken()}`;
      const answer = await fetch("/api/auth/session", {
        method: "POST",
        headers: { authorization },
      });
      if (answer.status !== 204) throw new Error(`no session: ${answer.status}`);
    };
    await onPage.renew();
  });
  return page;
}

/** Longer than the longest `retry:` of a stream. */
const RENEW_AFTER_MS = 4_500;

/** Opens EventSources of the vendor's stream on the page, which renews its cookie once one of them says that it ended. */
async function openEventSources(page: Page, vendorId: string, count: number): Promise<void> {
  await page.evaluate(
    ([path, sources, renewAfterMs]) => {
      const onPage = globalThis as unknown as OnPage;
      let isRenewing = false;
      for (let index = 0; index < sources; index++) {
        const source = new EventSource(path);
        onPage.sources.push(source);
        const keep = (event: Event) => {
          const { type, data, lastEventId } = event as Event & {
            data?: string;
            lastEventId: string;
          };
          // The browser's own `error`, about the connection, carries none.
          if (data === undefined) return;
          const { orderId, status, code } = JSON.parse(data);
          onPage.dispatched.push([index, type, lastEventId, orderId ?? status ?? code]);
          if (code !== "token-expired" || isRenewing) return;
          // As late as a page whose backend is slow: the browser comes back before it.
          isRenewing = true;
          setTimeout(() => onPage.renew(), renewAfterMs);
        };
        for (const type of ["resume", "new-order", "error"]) source.addEventListener(type, keep);
      }
    },
    [`/api/vendor/${vendorId}/notifications/stream`, count, RENEW_AFTER_MS] as const,
  );
}

const dispatchedOn = (page: Page) =>
  page.evaluate(() => (globalThis as unknown as OnPage).dispatched);

test(
  "E15 A5 S5: over TLS a page opens eight streams and a WebSocket to one host, with a Secure cookie",
  needsBrowser,
  async () => {
    const { url } = platform.tls as NonNullable<Platform["tls"]>;
    const page = await openPage(url, () => market.vendorToken("tls-shop"));
    const [cookie] = await browser.cookies(url);
    expect(cookie).toMatchObject({ secure: true, httpOnly: true, sameSite: "Strict" });

    await openEventSources(page, "tls-shop", 8);
    const sourcesWith = async (event: string) =>
      new Set((await dispatchedOn(page)).filter(([, type]) => type === event).map(([n]) => n)).size;
    await until(async () => (await sourcesWith("resume")) === 8, {
      what: "eight streams",
      timeoutMs: 10_000,
    });
    // With eight streams open there is a way left for a request and a socket.
    const protocol = await page.evaluate(async () => {
      await fetch("/api/vendor/nobody/notifications");
      const entry = performance.getEntriesByType("resource").at(-1);
      return (entry as unknown as { nextHopProtocol: string }).nextHopProtocol;
    });
    expect(protocol).toBe("h2");
    expect((await market.postOrder("tls-shop", "order-1")).status).toBe(202);
    await until(async () => (await sourcesWith("new-order")) === 8, { what: "the order on all" });

    const token = await market.vendorToken("tls-shop");
    const address = `${url.replace("http", "ws")}/api/chat/ws`;
    const answer = await page.evaluate(
      async ([socketUrl, text]) => {
        const socket = new WebSocket(socketUrl);
        return await new Promise<string>((resolve, reject) => {
          socket.onopen = () =>
            socket.send(JSON.stringify({ type: "authenticate", ref: 7, token: text }));
          socket.onmessage = ({ data }) =>
            JSON.parse(data).ref === 7 && resolve(JSON.parse(data).type);
          socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
        });
      },
      [address, token] as const,
    );
    expect(answer).toBe("authenticated");
    await page.close();
  },
);

test(
  "S5 S6 S11 A7 A8: an EventSource lives through a restart of NATS, a reload of the gateway, the death of its replica and the end of its token, and has every order once and in order",
  needsBrowser,
  async () => {
    const vendorId = "fault-shop";
    let tokens = 0;
    const firstTokenSeconds = 12;
    const page = await openPage(platform.url, () =>
      platform.signToken({
        role: "vendor",
        sub: "sam",
        vendors: [vendorId],
        expiresInSeconds: tokens++ === 0 ? firstTokenSeconds : 3_600,
      }),
    );
    let navigations = 0;
    page.on("framenavigated", () => navigations++);
    await openEventSources(page, vendorId, 1);
    const told = async (event: string) =>
      (await dispatchedOn(page)).filter(([, type]) => type === event);
    await until(async () => (await told("resume")).length === 1, { what: "the stream" });

    const accepted: string[] = [];
    let isOver = false;
    const publishing = (async () => {
      for (let n = 0; !isOver; n++) {
        const orderId = `order-${n}`;
        // As its backend would: until it is acknowledged.
        while (!(await market.postOrder(vendorId, orderId).catch(() => null))?.ok) {
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        accepted.push(orderId);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    const untilArrived = async (what: string) => {
      const goal = accepted.length + 3;
      await until(async () => (await told("new-order")).length >= goal, {
        what: `orders after ${what}`,
        timeoutMs: 25_000,
      });
    };

    await untilArrived("the start");
    await platform.stores.nats.kill("SIGKILL");
    await platform.stores.nats.start();
    await untilArrived("the restart of NATS");

    const resumes = (await told("resume")).length;
    process.kill(platform.gateway.pid, "SIGHUP");
    await untilArrived("the reload of the gateway");
    expect((await told("resume")).length, "the reload cut nothing").toBe(resumes);

    const holder = await replicaWithStream();
    await platform.replica(holder).kill("SIGKILL");
    await untilArrived(`the death of ${holder}`);
    expect((await told("resume")).length).toBeGreaterThan(resumes);

    // Told at its end, and again to the browser that came back with it.
    const ends = async () =>
      (await told("error")).filter(([, , , code]) => code === "token-expired").length;
    await until(async () => (await ends()) >= 2, {
      what: "the end of the first token",
      timeoutMs: (firstTokenSeconds + 10) * 1_000,
    });
    await untilArrived("the end of the token");
    expect(tokens).toBe(2);

    isOver = true;
    await publishing;
    await until(async () => (await told("new-order")).length >= accepted.length, {
      what: "the last orders",
      timeoutMs: 15_000,
    });
    const orders = await told("new-order");
    expect(orders.map(([, , , orderId]) => orderId)).toEqual(accepted);
    const sequences = orders.map(([, , id]) => Number(id.split("-")[1]));
    expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
    const verdicts = (await told("resume")).map(([, , , status]) => status);
    expect(verdicts).toEqual(["fresh", ...verdicts.slice(1).map(() => "complete")]);
    expect(navigations).toBe(0);
    await page.close();
  },
);

/** The replica that holds the only open stream. */
async function replicaWithStream(): Promise<string> {
  for (const { service, name, adminUrl } of platform.replicas) {
    if (service !== "notification-sse") continue;
    const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
    if (/^localstreet_streams_open\{.*\} 1$/m.test(metrics)) return name;
  }
  throw new Error("no replica has the stream");
}
