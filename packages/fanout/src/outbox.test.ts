import { EventEmitter } from "node:events";
import { raise } from "@localstreet/contracts/raise";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Outbox, type OutboxOwner, type OutboxSocket } from "./outbox.ts";

const LIMIT = 100;
const HIGH_WATER_MARK = 20;

/** A socket whose peer reads or not, as the test says. */
class ScriptedSocket extends EventEmitter implements OutboxSocket {
  text = "";
  writes: Buffer[] = [];
  writableLength = 0;
  writableNeedDrain = false;
  isStalled = false;

  write(chunk: Buffer): boolean {
    this.text += chunk.toString();
    this.writes.push(chunk);
    if (this.isStalled) this.writableLength += chunk.length;
    if (this.writableLength >= HIGH_WATER_MARK) this.writableNeedDrain = true;
    return !this.writableNeedDrain;
  }

  drain(): void {
    this.isStalled = false;
    this.writableLength = 0;
    if (!this.writableNeedDrain) return;
    this.writableNeedDrain = false;
    this.emit("drain");
  }
}

class Owner implements OutboxOwner {
  isWritable = true;
  overflows = 0;
  onOverflow(): void {
    this.overflows += 1;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function open(options: { held?: boolean } = {}) {
  const socket = new ScriptedSocket();
  const owner = new Owner();
  return { socket, owner, outbox: new Outbox(socket, owner, { limitBytes: LIMIT, ...options }) };
}

/** A connection, as a town of them uses it; the real one and the model of it. */
interface Box {
  push(text: string): void;
  pushLatest(slot: string, text: string): void;
  history(text: string): void;
  stall(): void;
  drain(): void;
  release(): void;
  finish(text: string): void;
  close(): void;
  /** What has been handed to the socket so far. */
  readonly text: string;
  readonly pending: number;
  /** What became of the piece of history that was written last: `null` while it is on its way. */
  readonly historyAnswer: boolean | null;
}

const frames = new Map<string, Buffer>();
/** The same bytes for all, as a fan-out does. */
function frameOf(text: string): Buffer {
  const frame = frames.get(text) ?? Buffer.from(text);
  frames.set(text, frame);
  return frame;
}

class RealBox implements Box, OutboxOwner {
  readonly isWritable = true;
  readonly socket = new ScriptedSocket();
  readonly outbox: Outbox;
  readonly onOverflow: () => void;
  historyAnswer: boolean | null = true;

  constructor(held: boolean, onOverflow: () => void) {
    this.onOverflow = onOverflow;
    this.outbox = new Outbox(this.socket, this, { limitBytes: LIMIT, held });
  }
  push(text: string): void {
    this.outbox.push(frameOf(text));
  }
  pushLatest(slot: string, text: string): void {
    this.outbox.pushLatest(slot, frameOf(text));
  }
  history(text: string): void {
    this.historyAnswer = null;
    this.outbox
      .writeHistory(frameOf(text))
      .then((answer) => {
        this.historyAnswer = answer;
      })
      .catch(raise);
  }
  stall(): void {
    this.socket.isStalled = true;
  }
  drain(): void {
    this.socket.drain();
  }
  release(): void {
    this.outbox.release();
  }
  finish(text: string): void {
    this.outbox.finish(frameOf(text));
  }
  close(): void {
    this.outbox.close();
  }
  get text(): string {
    return this.socket.text;
  }
  get pending(): number {
    return this.outbox.pendingBytes;
  }
}

/** What a connection should do, written down without regard to cost. */
class Model implements Box {
  text = "";
  historyAnswer: boolean | null = true;
  #queue: { text: string; slot: string | null }[] = [];
  #inSocket = 0;
  #isStalled = false;
  #needsDrain = false;
  #state: "held" | "open" | "over";
  readonly #onOverflow: () => void;

  constructor(held: boolean, onOverflow: () => void) {
    this.#state = held ? "held" : "open";
    this.#onOverflow = onOverflow;
  }
  get pending(): number {
    return this.#inSocket + this.#queue.reduce((sum, { text }) => sum + text.length, 0);
  }
  push(text: string): void {
    this.#add(text, null);
  }
  pushLatest(slot: string, text: string): void {
    if (this.#needsDrain) this.#queue = this.#queue.filter((entry) => entry.slot !== slot);
    this.#add(text, this.#needsDrain ? slot : null);
  }
  #add(text: string, slot: string | null): void {
    if (this.#state === "over") return;
    this.#queue.push({ text, slot });
    if (this.pending > LIMIT) this.turn();
    if (this.pending <= LIMIT) return;
    this.close();
    this.#onOverflow();
  }
  history(text: string): void {
    this.historyAnswer = this.#state === "held" ? null : false;
    if (this.#state === "held") this.#write(text);
    if (!this.#needsDrain) this.historyAnswer = this.#state === "held";
  }
  turn(): void {
    if (this.#state === "open" && !this.#needsDrain) this.#writeAll();
  }
  #writeAll(): void {
    for (const { text } of this.#queue) this.#write(text);
    this.#queue = [];
  }
  #write(text: string): void {
    this.text += text;
    if (this.#isStalled) this.#inSocket += text.length;
    if (this.#inSocket >= HIGH_WATER_MARK) this.#needsDrain = true;
  }
  stall(): void {
    this.#isStalled = true;
  }
  drain(): void {
    this.#isStalled = false;
    this.#inSocket = 0;
    this.#needsDrain = false;
    this.turn();
    if (this.historyAnswer === null) this.historyAnswer = this.#state === "held";
  }
  release(): void {
    if (this.#state === "held") this.#state = "open";
  }
  finish(text: string): void {
    if (this.#state === "over") return;
    if (this.#state === "held") this.#queue = [];
    this.#writeAll();
    this.#write(text);
    this.close();
  }
  close(): void {
    this.#state = "over";
    this.#queue = [];
  }
}

/** Connections that all get what is published. One that is cut tells the others, in the middle of whatever goes on. */
class Town<B extends Box> {
  readonly boxes: B[] = [];
  readonly members = new Set<B>();
  readonly #openBox: (held: boolean, onOverflow: () => void) => B;
  cuts = 0;

  constructor(openBox: (held: boolean, onOverflow: () => void) => B) {
    this.#openBox = openBox;
  }
  connect(held: boolean): void {
    const box: B = this.#openBox(held, () => {
      this.members.delete(box);
      this.publish(`cut ${this.cuts++};`);
      this.connect(true);
    });
    this.boxes.push(box);
    this.members.add(box);
  }
  publish(text: string): void {
    for (const box of [...this.members]) box.push(text);
  }
  publishLatest(slot: string, text: string): void {
    for (const box of [...this.members]) box.pushLatest(slot, text);
  }
}

type Step =
  | { do: "publish"; bytes: number }
  | { do: "publishLatest"; slot: string; bytes: number }
  | { do: "connect"; held: boolean }
  | { do: "turn" }
  | { do: "stall" | "drain" | "release" | "history" | "finish" | "close"; box: number };

const bytes = fc.integer({ min: 5, max: 24 });
const box = fc.nat(9);
const steps = fc.array(
  fc.oneof<{ weight: number; arbitrary: fc.Arbitrary<Step> }[]>(
    { weight: 7, arbitrary: fc.record({ do: fc.constant("publish"), bytes }) },
    {
      weight: 7,
      arbitrary: fc.record({
        do: fc.constant("publishLatest"),
        slot: fc.constantFrom("a", "b", "c"),
        bytes,
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("connect"), held: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("turn") }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("stall", "drain"), box }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("history", "release"), box }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("finish", "close"), box }) },
  ),
  { minLength: 1, maxLength: 70 },
);

test("S5 S6 S9 T8: frames stay whole and in order, history goes first, only a stalled slot's older frames give way, overflow ends a connection once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }), steps, runScript),
    { numRuns: 500 },
  );
});

async function runScript(held: readonly boolean[], script: readonly Step[]): Promise<void> {
  const real = new Town((...options) => new RealBox(...options));
  const model = new Town((...options) => new Model(...options));
  for (const isHeld of held) {
    real.connect(isHeld);
    model.connect(isHeld);
  }
  const takeTurn = async () => {
    await turn();
    for (const each of model.boxes) each.turn();
  };
  let next = 0;
  const textOf = (length: number) => `${String(next++).padEnd(length - 1, "-")};`;

  for (const step of script) {
    if (step.do === "publish") {
      const text = textOf(step.bytes);
      real.publish(text);
      model.publish(text);
    } else if (step.do === "publishLatest") {
      const text = textOf(step.bytes);
      real.publishLatest(step.slot, text);
      model.publishLatest(step.slot, text);
    } else if (step.do === "connect") {
      real.connect(step.held);
      model.connect(step.held);
    } else if (step.do === "turn") {
      await takeTurn();
    } else {
      const at = step.box % real.boxes.length;
      // A reader drains between two turns.
      if (step.do === "drain") await takeTurn();
      const text = textOf(8);
      for (const each of [real.boxes[at], model.boxes[at]]) {
        if (step.do === "history") {
          if (each?.historyAnswer !== null) each?.history(text);
        } else if (step.do === "release") {
          if (each?.historyAnswer !== null) each?.release();
        } else if (step.do === "finish") each?.finish(text);
        else each?.[step.do]();
      }
      await Promise.resolve().then(() => {});
    }
    expect(seen(real)).toEqual(seen(model));
  }
  await takeTurn();
  for (const each of [...real.boxes, ...model.boxes]) each.drain();
  await takeTurn();
  expect(seen(real)).toEqual(seen(model));
}

function seen({ boxes, cuts }: Town<Box>) {
  return {
    cuts,
    boxes: boxes.map(({ text, pending, historyAnswer }) => ({ text, pending, historyAnswer })),
  };
}

test("frames of one turn leave in one write, and the same frames for many sockets are joined once", async () => {
  const some = [open(), open(), open()];
  const other = open();
  for (const text of ["a", "b"]) for (const { outbox } of some) outbox.push(frameOf(text));
  for (const text of ["a", "c"]) other.outbox.push(frameOf(text));
  for (const { outbox } of some) outbox.pushLatest("slot", frameOf("d"));
  for (const { socket } of some) expect(socket.writes).toEqual([]);
  await turn();
  for (const { socket } of some) expect(socket.text).toBe("abd");
  expect(other.socket.text).toBe("ac");
  for (const { socket } of some) expect(socket.writes).toEqual([some[0]?.socket.writes[0]]);
  expect(some[1]?.socket.writes[0]).toBe(some[0]?.socket.writes[0]);
});

test("S6: history goes past what is held, at the pace of the socket", async () => {
  const { socket, outbox } = open({ held: true });
  outbox.push(Buffer.from("live"));
  socket.isStalled = true;
  const written: boolean[] = [];
  const done = (async () => {
    written.push(await outbox.writeHistory(Buffer.alloc(HIGH_WATER_MARK, "1")));
    written.push(await outbox.writeHistory(Buffer.from("2")));
  })();
  await turn();
  expect(written).toEqual([]);
  socket.drain();
  await done;
  expect(written).toEqual([true, true]);
  outbox.release();
  await turn();
  expect(socket.text).toBe(`${"1".repeat(HIGH_WATER_MARK)}2live`);
  expect(socket.listenerCount("drain")).toBe(0);
});

test("S5 S10: an end in the middle of a replay does not let held events go ahead of it", async () => {
  const { socket, outbox } = open({ held: true });
  outbox.push(Buffer.from("live"));
  await outbox.writeHistory(Buffer.from("old."));
  outbox.finish(Buffer.from("goaway"));
  outbox.push(Buffer.from("late"));
  await turn();
  expect(socket.text).toBe("old.goaway");
  expect(await outbox.writeHistory(Buffer.from("later"))).toBe(false);
});

test("S9: a held connection that stalls in its replay is cut by what comes meanwhile", async () => {
  const { socket, outbox, owner } = open({ held: true });
  socket.isStalled = true;
  const written = outbox.writeHistory(Buffer.alloc(HIGH_WATER_MARK, "1"));
  while (owner.overflows === 0) outbox.push(Buffer.alloc(HIGH_WATER_MARK, "2"));
  socket.emit("close");
  expect(await written).toBe(false);
  expect(owner.overflows).toBe(1);
  expect(socket.text).toBe("1".repeat(HIGH_WATER_MARK));
});

test("S9: a burst within one turn is no slow reader, as long as the kernel takes it", async () => {
  const { socket, outbox, owner } = open();
  for (let i = 0; i < 10; i++) outbox.push(Buffer.alloc(LIMIT / 2, "x"));
  await turn();
  expect(owner.overflows).toBe(0);
  expect(socket.text.length).toBe(5 * LIMIT);
});

test("what a drain listener pushes goes behind what waited", async () => {
  const { socket, outbox } = open();
  socket.isStalled = true;
  outbox.push(Buffer.alloc(HIGH_WATER_MARK, "1"));
  await turn();
  socket.once("drain", () => outbox.push(Buffer.from("3")));
  outbox.push(Buffer.from("2"));
  await turn();
  socket.drain();
  await turn();
  expect(socket.text).toBe(`${"1".repeat(HIGH_WATER_MARK)}23`);
});

test("nothing is written to a socket that is no longer writable", async () => {
  const { socket, outbox, owner } = open();
  outbox.push(Buffer.from("a"));
  owner.isWritable = false;
  await turn();
  expect(socket.writes).toEqual([]);
  expect(outbox.pendingBytes).toBe(0);
});
