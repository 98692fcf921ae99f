import { connect } from "node:net";
import { until } from "@localstreet/testkit/wait";
import type { BrowserContext, Locator, Page, Route } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Platform } from "../src/platform.ts";
import { launchChromium, needsBrowser } from "./chromium.ts";
import { createMarketplace, freshId, startTestPlatform } from "./marketplace.ts";

let platform: Platform;
let market: ReturnType<typeof createMarketplace>;
let stop: () => Promise<void>;
let browser: BrowserContext;
let closeBrowser: () => Promise<void>;

beforeAll(async () => {
  if (needsBrowser.skip) return;
  ({ platform, stop } = await startTestPlatform({
    replicas: { "chat-ws": 1, "tracking-ingest": 1, "tracking-fanout": 1 },
  }));
  market = createMarketplace(platform);
  ({ browser, close: closeBrowser } = await launchChromium());
  browser.setDefaultTimeout(15_000);
});

afterAll(async () => {
  await closeBrowser?.();
  await stop?.();
});

interface Desk extends AsyncDisposable {
  readonly page: Page;
  readonly vendorId: string;
  readonly faults: string[];
  /** Requests that answered an order, as `orderId state`. */
  readonly answers: string[];
  order(orderId: string): Locator;
  button(orderId: string, name: "Accept" | "Reject"): Locator;
}

interface DeskOptions {
  /** What a test changes between the browser and the platform, before the page is opened. */
  prepare?: (page: Page) => Promise<unknown>;
  buyerId?: string;
  orders?: readonly string[];
}

/** The page of a vendor of its own, with a token that was typed in, once its orders are there. */
async function openDesk(options: DeskOptions = {}): Promise<Desk> {
  const vendorId = freshId("desk");
  for (const orderId of options.orders ?? []) {
    expect((await market.postOrder(vendorId, orderId)).status).toBe(202);
  }
  const page = await browser.newPage();
  const faults: string[] = [];
  const answers: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => {
    const orderId = /\/orders\/([^/]+)\/ack$/.exec(request.url())?.[1];
    const { state } = orderId ? request.postDataJSON() : {};
    if (state === "accepted" || state === "rejected") answers.push(`${orderId} ${state}`);
  });
  await options.prepare?.(page);
  await page.goto(platform.url);
  if ((await page.locator(".toolbar").count()) > 0) {
    await page.locator("summary", { hasText: "Own token" }).click();
  }
  await page.getByLabel("Vendor id").fill(vendorId);
  await page.getByLabel("Token of its staff").fill(await market.vendorToken(vendorId, "sam"));
  if (options.buyerId) {
    await page.getByLabel("Buyer id").fill(options.buyerId);
    await page.getByLabel("Token of the buyer").fill(await market.buyerToken(options.buyerId));
  }
  await page.getByRole("button", { name: "Use these" }).click();
  await page.locator(".orders .chip-live").waitFor();
  const order = (orderId: string) => page.locator(`[data-order="${orderId}"]`);
  for (const orderId of options.orders ?? []) await order(orderId).waitFor();
  return {
    page,
    vendorId,
    faults,
    answers,
    order,
    button: (orderId, name) => order(orderId).getByRole("button", { name }),
    [Symbol.asyncDispose]: () => closePage(page),
  };
}

/** Until its card has been where it is for a while: what has just come takes no click. */
const untilSteady = (button: Locator) => button.click({ trial: true });

/** What is still on its way is of no interest. */
async function closePage(page: Page): Promise<void> {
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.close();
}

async function openOrders(vendorId: string): Promise<string[]> {
  const path = `/api/vendor/${vendorId}/orders?state=open&limit=500`;
  const answer = await market.request("GET", path, await market.vendorToken(vendorId));
  const { orders } = (await answer.json()) as { orders: { orderId: string }[] };
  return orders.map(({ orderId }) => orderId);
}

/** The middle of an element, in the window. */
async function spotOf(element: Locator): Promise<[number, number]> {
  await element.scrollIntoViewIfNeeded();
  const box = await element.boundingBox();
  if (!box) throw new Error("the element is not shown");
  return [box.x + box.width / 2, box.y + box.height / 2];
}

/** After two tasks of the page a request that a click has caused was seen. */
const nextTasks = (page: Page) =>
  page.evaluate(async () => {
    for (let task = 0; task < 2; task++) await new Promise((resolve) => setTimeout(resolve));
  });

const problem = (status: number, code: string) => ({
  status,
  contentType: "application/problem+json",
  body: JSON.stringify({ type: "about:blank", title: code, status, code }),
});

/** Publishes to a vendor's log past all checks, as a newer version or a backend with a bug does. */
async function publishRaw(vendorId: string, messageId: string, data: string): Promise<void> {
  const { servers, user, password } = platform.stores.nats.as("publisher");
  const { hostname, port } = new URL(servers[0] as string);
  const socket = connect(Number(port), hostname);
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  const head = `NATS/1.0\r\nNats-Msg-Id: ${messageId}\r\n\r\n`;
  const size = head.length + Buffer.byteLength(data);
  const options = JSON.stringify({ user, pass: password, verbose: false, headers: true });
  socket.write(
    `CONNECT ${options}\r\nHPUB vendor.${vendorId}.orders ${head.length} ${size}\r\n${head}${data}\r\nPING\r\n`,
  );
  await until(() => answer.includes("PONG"), { what: "the answer of NATS" });
  expect(answer).not.toContain("-ERR");
  socket.destroy();
}

test(
  "S21: an answer that fails says why on its card and can be given again, by 401, 403, 429, 503 and without a network",
  needsBrowser,
  async () => {
    const faults: [what: RegExp, fail: (route: Route) => Promise<void>][] = [
      [/token is not valid/, (route) => route.fulfill(problem(401, "unauthenticated"))],
      [/token may not do that/, (route) => route.fulfill(problem(403, "forbidden"))],
      [/too many requests/i, (route) => route.fulfill(problem(429, "rate-limited"))],
      [/does not answer/, (route) => route.fulfill(problem(503, "unavailable"))],
      [/does not answer/, (route) => route.fulfill({ status: 502, body: "<html>" })],
      [/cannot be reached/, (route) => route.abort("connectionrefused")],
    ];
    const left = [...faults];
    await using desk = await openDesk({
      orders: ["a", "b"],
      prepare: (page) =>
        page.route("**/orders/a/ack", async (route) => {
          const { state } = route.request().postDataJSON();
          const fault = state === "accepted" ? left.shift() : undefined;
          if (fault) await fault[1](route);
          else await route.continue();
        }),
    });
    for (const [index, [what]] of faults.entries()) {
      await desk.button("a", "Accept").click();
      await desk.order("a").getByRole("alert").filter({ hasText: what }).waitFor();
      expect(desk.answers).toHaveLength(index + 1);
      expect(await desk.order("b").getByRole("alert").count()).toBe(0);
    }
    expect(await openOrders(desk.vendorId)).toEqual(["a", "b"]);
    await desk.button("a", "Accept").click();
    await desk.order("a").getByText("by you").waitFor();
    expect(await desk.order("a").getByRole("alert").count()).toBe(0);
    await until(async () => (await openOrders(desk.vendorId)).join() === "b", { what: "accepted" });
    expect(desk.faults).toEqual([]);
  },
);

test(
  "S21 A6: a 401 at the click of Accept renews the session, and the answer goes out once more",
  needsBrowser,
  async () => {
    const vendorId = freshId("renewed");
    expect((await market.postOrder(vendorId, "a")).status).toBe(202);
    const page = await browser.newPage();
    const tokens = [await market.vendorToken(vendorId, "sam")];
    await page.route("**/demo/directory.json", (route) =>
      route.fulfill({
        json: {
          city: "Gothenburg",
          updatedAt: new Date().toISOString(),
          vendors: [
            {
              ...{ vendorId, name: "Bakery", street: "Street", staffId: "sam" },
              ...{ token: tokens.at(-1), lat: 57.7, lng: 11.97 },
            },
          ],
          buyers: [],
          deliveries: [],
        },
      }),
    );
    const used: string[] = [];
    await page.route("**/orders/a/ack", async (route) => {
      if (route.request().postDataJSON().state !== "accepted") return await route.continue();
      const token = route.request().headers().authorization ?? "";
      used.push(token);
      if (token === `Bearer ${tokens[0]}`) {
        // It has ended, and there is a newer one that the page does not have yet.
        if (tokens.length === 1) tokens.push(await market.vendorToken(vendorId, "sam-again"));
        await route.fulfill(problem(401, "token-expired"));
      } else await route.continue();
    });
    await page.goto(platform.url);
    const order = page.locator('[data-order="a"]');
    await order.getByRole("button", { name: "Accept" }).click();
    await order.getByText("by you").waitFor();
    expect(used).toEqual(tokens.map((token) => `Bearer ${token}`));
    await closePage(page);
  },
);

test(
  "S21: while an answer is on its way no other one goes out, whatever is pressed",
  needsBrowser,
  async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using desk = await openDesk({
      orders: ["a"],
      prepare: (page) =>
        page.route("**/orders/a/ack", async (route) => {
          if (route.request().postDataJSON().state !== "received") await held;
          await route.continue();
        }),
    });
    const { page } = desk;
    await untilSteady(desk.button("a", "Accept"));
    const [x, y] = await spotOf(desk.button("a", "Accept"));
    const [rejectX, rejectY] = await spotOf(desk.button("a", "Reject"));
    await page.mouse.dblclick(x, y);
    await page.keyboard.press("Enter");
    await page.mouse.dblclick(rejectX, rejectY);
    await page.keyboard.press("Enter");
    await desk.order("a").getByText("Accepting…").waitFor();
    await nextTasks(page);
    release();
    await desk.order("a").getByText("by you").waitFor();
    expect(desk.answers).toEqual(["a accepted"]);
  },
);

test(
  "S21: two clicks at one spot answer one order, whether the first or another device has moved the cards",
  needsBrowser,
  async () => {
    await using desk = await openDesk({ orders: ["a", "b", "c", "d", "e"] });
    const { page } = desk;
    await untilSteady(desk.button("a", "Accept"));
    const [x, y] = await spotOf(desk.button("a", "Accept"));
    await page.mouse.dblclick(x, y);
    await desk.order("a").getByText("by you").waitFor();
    // What lies under the pointer now is clicked again, in a hurry.
    await page.mouse.dblclick(x, y);
    await page.mouse.click(x, y);
    await nextTasks(page);
    expect(desk.answers).toEqual(["a accepted"]);

    // Another device answers the card above the one that is aimed at.
    const aim = await spotOf(desk.button("c", "Accept"));
    await page.mouse.move(...aim);
    const path = `/api/vendor/${desk.vendorId}/orders/b/ack`;
    const token = await market.vendorToken(desk.vendorId, "kim");
    expect((await market.request("POST", path, token, { state: "accepted" })).status).toBe(200);
    await desk.order("b").getByText("by kim").waitFor();
    await page.mouse.click(...aim);
    await nextTasks(page);
    expect(desk.answers.slice(1).filter((answer) => answer !== "c accepted")).toEqual([]);

    // Once all is calm the next one is answered by one click.
    await page.mouse.move(5, 5);
    await page.locator(".orders li.order").first().and(page.locator(".order-open")).waitFor();
    await desk.order("d").hover();
    await desk.button("d", "Accept").click();
    await desk.order("d").getByText("by you").waitFor();
    expect(desk.answers.filter((answer) => !answer.startsWith("c"))).toEqual([
      "a accepted",
      "d accepted",
    ]);
    expect(await desk.button("e", "Accept").count()).toBe(1);
  },
);

test(
  "S21: a card that slides under the pointer takes no click until it can have been seen",
  needsBrowser,
  async () => {
    await using desk = await openDesk({ orders: ["a", "b", "c", "d"] });
    const { page } = desk;
    await untilSteady(desk.button("a", "Accept"));
    const [x, y] = await spotOf(desk.button("a", "Accept"));
    await page.evaluate(`
      globalThis.clickedAt = 0;
      addEventListener("click", (event) => { clickedAt = event.timeStamp; }, { capture: true });
    `);
    await page.mouse.click(x, y);
    await desk.order("a").getByText("by you").waitFor();
    // The pointer rests, so that the answered card gives way after a while, and its neighbour comes under the pointer.
    const movedAt = await page.evaluate<number>(`new Promise((resolve) => {
      const feed = document.querySelector(".feed");
      const observer = new MutationObserver(() => {
        if (feed.querySelector("[data-order]").dataset.order !== "b") return;
        observer.disconnect();
        resolve(performance.now());
      });
      observer.observe(feed, { childList: true });
    })`);
    const [nextX, nextY] = await spotOf(desk.button("b", "Accept"));
    await page.mouse.click(nextX, nextY);
    await nextTasks(page);
    const clickedAt = await page.evaluate<number>("clickedAt");
    // On a machine that is busy the click may come late, and counts.
    if (clickedAt - movedAt < 500) expect(desk.answers).toEqual(["a accepted"]);
    // A click that is meant is taken.
    if (desk.answers.length === 1) await desk.button("b", "Accept").click();
    await desk.order("b").getByText("by you").waitFor();
    expect(desk.answers).toEqual(["a accepted", "b accepted"]);
  },
);

test(
  "S21: by keyboard one press answers one order, and the next card is one step away",
  needsBrowser,
  async () => {
    await using desk = await openDesk({ orders: ["a", "b"] });
    const { page } = desk;
    await desk.button("a", "Accept").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await desk.order("a").getByText("by you").waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Space");
    await nextTasks(page);
    expect(desk.answers).toEqual(["a accepted"]);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await desk.order("b").getByText("by you").waitFor();
    expect(desk.answers).toEqual(["a accepted", "b accepted"]);
  },
);

test("S25: all of 260 open orders are on the page, while some are answered between the pages of the list", {
  ...needsBrowser,
  timeout: 180_000,
}, async () => {
  const vendorId = freshId("busy");
  const token = await market.serviceToken();
  for (const hundred of [0, 1, 2]) {
    const orders = Array.from({ length: hundred === 2 ? 60 : 100 }, (_, index) => ({
      orderId: `n${hundred}${String(index).padStart(2, "0")}`,
      buyerId: "ada",
      items: [{ name: "Cardamom bun", quantity: 1, unitPrice: 3500 }],
      total: 3500,
      currency: "SEK",
    }));
    const path = `/api/vendor/${vendorId}/orders/batch`;
    expect((await market.request("POST", path, token, { orders })).status).toBe(200);
  }
  const page = await browser.newPage();
  const staff = await market.vendorToken(vendorId, "kim");
  const answer = async (orderId: string) => {
    const path = `/api/vendor/${vendorId}/orders/${orderId}/ack`;
    const answered = await market.request("POST", path, staff, { state: "accepted" });
    expect(answered.status).toBe(200);
  };
  let pages = 0;
  await page.route(/\/orders\?state=open/, async (route) => {
    const response = await route.fetch();
    if (pages++ === 0) {
      // One that the first page has told, and one that no page has told yet.
      await answer("n003");
      await answer("n255");
      expect((await market.postOrder(vendorId, "newest")).status).toBe(202);
    }
    await route.fulfill({ response });
  });
  await page.goto(platform.url);
  await page.getByLabel("Vendor id").fill(vendorId);
  await page.getByLabel("Token of its staff").fill(await market.vendorToken(vendorId, "sam"));
  await page.getByRole("button", { name: "Use these" }).click();
  await page.locator(".order-open").nth(258).waitFor({ timeout: 30_000 });
  await until(async () => (await page.locator(".order-open").count()) === 259, {
    what: "the open orders",
    timeoutMs: 30_000,
  });
  expect(await page.locator('[data-order="newest"].order-open').count()).toBe(1);
  expect(await page.locator('[data-order="n255"].order-open').count()).toBe(0);
  expect(await page.locator(".hole").count()).toBe(0);
  await page.close();
});

test(
  "S25: a row that cannot be read is counted, and all others are shown",
  needsBrowser,
  async () => {
    await using desk = await openDesk({
      prepare: (page) =>
        page.route(/\/orders\?state=/, async (route) => {
          const response = await route.fetch();
          const body = (await response.json()) as { orders: Record<string, unknown>[] };
          const orders = body.orders.map((order) =>
            order.orderId === "b" ? { ...order, total: "free" } : order,
          );
          await route.fulfill({ response, json: { ...body, orders: [null, ...orders] } });
        }),
    });
    for (const orderId of ["a", "b", "c"]) {
      expect((await market.postOrder(desk.vendorId, orderId)).status).toBe(202);
    }
    await desk.page.reload();
    await desk.page.getByLabel("Vendor id").fill(desk.vendorId);
    await desk.page
      .getByLabel("Token of its staff")
      .fill(await market.vendorToken(desk.vendorId, "sam"));
    await desk.page.getByRole("button", { name: "Use these" }).click();
    await desk.order("a").waitFor();
    await desk.order("c").waitFor();
    await desk.page.getByText("2 orders could not be read").waitFor();
    expect(desk.faults).toEqual([]);
  },
);

test(
  "S25: an order's event that cannot be read makes the page read the orders again, and then nothing is missing",
  needsBrowser,
  async () => {
    await using desk = await openDesk({
      orders: ["a"],
      // The stream alone says it wrongly.
      prepare: (page) =>
        page.addInitScript(`
          const original = fetch;
          globalThis.fetch = async (url, init) => {
            const response = await original(url, init);
            if (!String(url).includes("/stream")) return response;
            const garbled = response.body
              .pipeThrough(new TextDecoderStream())
              .pipeThrough(new TransformStream({
                transform: (text, to) => to.enqueue(text.replaceAll('"total":4242', '"total":"free"')),
              }))
              .pipeThrough(new TextEncoderStream());
            return new Response(garbled, { status: response.status, headers: response.headers });
          };
        `),
    });
    const order = {
      ...{ orderId: "b", buyerId: "ada", currency: "SEK", total: 4242 },
      items: [{ name: "Bun", quantity: 1, unitPrice: 4242 }],
    };
    const path = `/api/vendor/${desk.vendorId}/orders`;
    const token = await market.serviceToken();
    expect((await market.request("POST", path, token, order)).status).toBe(202);
    await desk.order("b").waitFor();
    await until(async () => (await desk.page.locator(".hole").count()) === 0, { what: "whole" });
    await desk.button("b", "Accept").click();
    await desk.order("b").getByText("by you").waitFor();
    expect(desk.faults).toEqual([]);
  },
);

test(
  "S44: what neither the page nor the record can read is said, and the orders go on",
  needsBrowser,
  async () => {
    await using desk = await openDesk({ orders: ["a"] });
    const { page, vendorId } = desk;
    const reads: string[] = [];
    page.on("request", (request) => {
      if (/\/orders\?state=/.test(request.url())) reads.push(request.url());
    });
    const placedAt = new Date().toISOString();
    const placed = { orderId: "b", vendorId, placedAt, total: "free", items: [] };
    await publishRaw(vendorId, `${vendorId}:new-order:b`, JSON.stringify(placed));
    await page.getByText("1 order could not be read").waitFor();
    await page.getByText("cannot be read. It is tried again").waitFor();
    expect(reads.length).toBeGreaterThanOrEqual(2);
    expect((await market.postOrder(vendorId, "c")).status).toBe(202);
    await desk.order("c").waitFor();
    await desk.button("a", "Accept").click();
    await desk.order("a").getByText("by you").waitFor();
    expect(desk.faults).toEqual([]);
  },
);

test(
  "G3: an order's event with a field that the page does not know is shown as any other",
  needsBrowser,
  async () => {
    await using desk = await openDesk();
    const order = {
      ...{ orderId: "newer", vendorId: desk.vendorId, buyerId: "ada", currency: "SEK", total: 1 },
      placedAt: new Date().toISOString(),
      items: [{ name: "Bun", quantity: 1, unitPrice: 1, allergens: ["wheat"] }],
      priority: "high",
    };
    await publishRaw(desk.vendorId, `${desk.vendorId}:new-order:newer`, JSON.stringify(order));
    await desk.order("newer").waitFor();
  },
);

test("a mistyped frame of a chat is counted, and blanks nothing", needsBrowser, async () => {
  const buyerId = freshId("buyer");
  let tell: ((text: string) => void) | undefined;
  await using desk = await openDesk({
    orders: ["a"],
    buyerId,
    prepare: (page) =>
      page.routeWebSocket(/\/api\/chat\/ws/, (socket) => {
        const server = socket.connectToServer();
        server.onMessage((text) => {
          socket.send(text);
          tell = (more) => socket.send(more);
        });
      }),
  });
  const { page, vendorId } = desk;
  const composer = page.getByLabel(new RegExp(`^Message from ${buyerId}`));
  await composer.fill("hello");
  await composer.press("Enter");
  const bubbles = page.locator(".chat .bubble", { hasText: "hello" });
  await until(async () => (await bubbles.count()) === 2, { what: "the message on both sides" });
  const path = "/api/chat/conversations";
  const listed = await market.request("GET", path, await market.buyerToken(buyerId));
  const { conversations } = (await listed.json()) as {
    conversations: { conversationId: string }[];
  };
  const frame = {
    type: "message",
    conversationId: conversations[0]?.conversationId,
    ...{ messageId: "m", seq: 2, senderId: buyerId, side: "buyer", content: "mistyped" },
    ...{ orderId: null, createdAt: "tomorrow", clientMessageId: "k" },
  };
  tell?.(JSON.stringify(frame));
  tell?.(JSON.stringify({ ...frame, content: { not: "text" }, createdAt: null }));
  await page
    .getByText(/could not be read/)
    .first()
    .waitFor();
  await desk.button("a", "Accept").click();
  await desk.order("a").getByText("by you").waitFor();
  expect(await bubbles.count()).toBe(2);
  expect((await market.postOrder(vendorId, "b")).status).toBe(202);
  await desk.order("b").waitFor();
  expect(desk.faults).toEqual([]);
});

test(
  "the fault of one panel leaves the others, and it can be tried again",
  needsBrowser,
  async () => {
    await using desk = await openDesk({ orders: ["a"], buyerId: freshId("buyer") });
    const { page } = desk;
    await page.evaluate(() => {
      const { prototype } = Intl.NumberFormat;
      const original = Object.getOwnPropertyDescriptor(prototype, "format") ?? {};
      Object.assign(globalThis, {
        mend: () => Object.defineProperty(prototype, "format", original),
      });
      Object.defineProperty(prototype, "format", {
        configurable: true,
        get() {
          throw new Error("no more numbers");
        },
      });
    });
    expect((await market.postOrder(desk.vendorId, "b")).status).toBe(202);
    const failed = page.getByRole("alert").filter({ hasText: "Orders" });
    await failed.waitFor();
    expect(await page.locator(".chat").count()).toBe(2);
    expect(await page.locator(".delivery").count()).toBe(1);
    // Again while it is broken is again this message.
    await failed.getByRole("button", { name: "Try again" }).click();
    await failed.waitFor();
    await page.evaluate(() => (globalThis as unknown as { mend(): void }).mend());
    await failed.getByRole("button", { name: "Try again" }).click();
    await desk.order("b").waitFor();
    await desk.button("b", "Accept").click();
    await desk.order("b").getByText("by you").waitFor();
  },
);
