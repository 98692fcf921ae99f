import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { raise } from "@localstreet/contracts/raise";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Outbox, type OutboxOwner } from "../src/outbox.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const turn = () => new Promise((resolve) => setImmediate(resolve));

let server: Server;
beforeEach(async () => {
  server = createServer({ noDelay: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.close();
});

/** Both ends of a connection over loopback, with an outbox on the server's. */
class Reader implements OutboxOwner {
  readonly outbox: Outbox;
  readonly client: Socket;
  readonly #socket: Socket;
  readonly #closed: Promise<unknown>;
  readonly #isKept: boolean;
  received = "";
  overflows = 0;

  constructor(
    socket: Socket,
    client: Socket,
    options: { limitBytes: number; held?: boolean; isKept: boolean },
  ) {
    this.#socket = socket;
    this.client = client;
    this.#isKept = options.isKept;
    this.outbox = new Outbox(socket, this, options);
    socket.on("error", () => {});
    socket.once("close", () => this.outbox.close());
    client.setEncoding("latin1");
    client.on("error", () => {});
    client.on("data", (text: string) => {
      if (this.#isKept) this.received += text;
    });
    this.#closed = once(client, "close");
  }

  get isWritable(): boolean {
    return this.#socket.writable;
  }

  onOverflow(): void {
    this.overflows += 1;
    this.#socket.destroy();
  }

  /** Sends what is left, and resolves when the client has read it. */
  async end(): Promise<void> {
    this.client.resume();
    this.outbox.release();
    this.outbox.finish();
    this.#socket.end();
    await this.#closed;
  }
}

async function openReader(options: {
  limitBytes: number;
  held?: boolean;
  isKept?: boolean;
}): Promise<Reader> {
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  return new Reader(socket, client, { isKept: true, ...options });
}

type Step =
  | { do: "publish"; bytes: number; times: number }
  | { do: "publishLatest"; bytes: number; times: number }
  | { do: "stall" | "resume" | "history" | "release" | "cut"; reader: number }
  | { do: "turn" };

const reader = fc.nat(2);
const steps = fc.array(
  fc.oneof<{ weight: number; arbitrary: fc.Arbitrary<Step> }[]>(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom("publish", "publishLatest"),
        bytes: fc.integer({ min: 20, max: 60_000 }),
        times: fc.integer({ min: 1, max: 20 }),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom("stall", "resume", "history", "release"),
        reader,
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("turn") }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("cut"), reader }) },
  ),
  { minLength: 5, maxLength: 60 },
);

const LIMIT = 128 * 1_024;

test("S5 S6 S9 T8: over sockets whose peers stop reading, frames come whole, once and in order, or not at all", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), steps, runScript),
    { numRuns: 40, interruptAfterTimeLimit: 10_000, markInterruptAsFailure: false },
  );
});

/** Letter, number, and as many dots as it takes: `e` for every reader, `p` for positions that give way, `h` for history. */
function frameOf(kind: "e" | "p" | "h", number: number, bytes: number): Buffer {
  return Buffer.from(`${`${kind}${number}`.padEnd(bytes - 1, ".")};`);
}

async function runScript(held: readonly boolean[], script: readonly Step[]): Promise<void> {
  const readers: Reader[] = [];
  for (const isHeld of held) readers.push(await openReader({ limitBytes: LIMIT, held: isHeld }));
  const replays = readers.map(() => Promise.resolve());
  const cut = new Set<Reader>();
  let events = 0;
  let positions = 0;
  let pieces = 0;
  for (const step of script) {
    if (step.do === "publish") {
      for (let i = 0; i < step.times; i++) {
        const frame = frameOf("e", events++, step.bytes);
        for (const { outbox } of readers) outbox.push(frame);
      }
    } else if (step.do === "publishLatest") {
      for (let i = 0; i < step.times; i++) {
        const frame = frameOf("p", positions++, step.bytes);
        for (const { outbox } of readers) outbox.pushLatest("driver", frame);
      }
    } else if (step.do === "turn") {
      await turn();
    } else {
      const one = readers[step.reader] as Reader;
      if (step.do === "stall") one.client.pause();
      else if (step.do === "resume") one.client.resume();
      else if (step.do === "history") {
        const before = replays[step.reader];
        replays[step.reader] = (async () => {
          await before;
          await one.outbox.writeHistory(frameOf("h", pieces++, 30_000));
        })();
      } else if (step.do === "release") {
        replays[step.reader]?.then(() => one.outbox.release()).catch(raise);
      } else {
        cut.add(one);
        one.client.destroy();
      }
    }
    for (const { outbox, overflows } of readers) {
      if (overflows === 0) expect(outbox.pendingBytes).toBeLessThanOrEqual(LIMIT);
    }
  }
  for (const { client } of readers) client.resume();
  await Promise.all(replays);
  await Promise.all(readers.map((each) => each.end()));

  for (const each of readers) {
    const isWhole = each.overflows === 0 && !cut.has(each);
    const frames = each.received.split(";");
    const rest = frames.pop();
    if (isWhole) expect(rest).toBe("");
    const numbers = (kind: string) =>
      frames
        .filter((text) => text.startsWith(kind))
        .map((text) => Number.parseInt(text.slice(1), 10));
    expect(each.received).toMatch(/^(h\d+\.*;)*([ep]\d+\.*;)*[eph]?\d*\.*$/);
    const came = numbers("e");
    expect(came).toEqual(came.map((_, index) => index));
    if (isWhole) expect(came).toHaveLength(events);
    const shown = numbers("p");
    expect(shown).toEqual([...new Set(shown)].sort((a, b) => a - b));
    if (isWhole && positions > 0) expect(shown.at(-1)).toBe(positions - 1);
  }
}

test("S9: a reader that is stuck costs its limit and no more, and nothing once it is cut off", async () => {
  const limitBytes = 1_024 * 1_024;
  const stuck: Reader[] = [];
  for (let i = 0; i < 20; i++) stuck.push(await openReader({ limitBytes, isKept: false }));
  const healthy = await openReader({ limitBytes });
  for (const { client } of stuck) client.pause();
  const memory = () => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers;
  };
  const before = memory();

  // Frames of its own for each, the worst case: what is shared is there once.
  let sent = 0;
  for (; stuck.some(({ outbox }) => outbox.pendingBytes < 0.8 * limitBytes); sent++) {
    for (const { outbox } of stuck) {
      if (outbox.pendingBytes < 0.8 * limitBytes) outbox.push(Buffer.alloc(16_384, "x"));
    }
    healthy.outbox.push(frameOf("e", sent, 100));
    await turn();
  }
  const pending = stuck.reduce((sum, { outbox }) => sum + outbox.pendingBytes, 0);
  expect(pending).toBeLessThanOrEqual(stuck.length * limitBytes);
  await expect.poll(() => memory() - before).toBeLessThan(1.1 * pending);

  while (stuck.some(({ overflows }) => overflows === 0)) {
    for (const { outbox } of stuck) outbox.push(Buffer.alloc(16_384, "x"));
  }
  await Promise.all(stuck.map(({ client }) => once(client.resume(), "close")));
  expect(stuck.map(({ overflows }) => overflows)).toEqual(stuck.map(() => 1));
  await expect.poll(() => memory() - before).toBeLessThan(0.05 * pending);
  await healthy.end();
  expect(healthy.received.match(/;/g)).toHaveLength(sent);
});
