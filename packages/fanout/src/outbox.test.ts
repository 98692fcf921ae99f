import { EventEmitter } from "node:events";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Outbox, type OutboxSocket } from "./outbox.ts";

const LIMIT = 100;
const HIGH_WATER_MARK = 20;

/** A socket whose peer reads or not, as the test says. */
class ScriptedSocket extends EventEmitter implements OutboxSocket {
  text = "";
  writes = 0;
  writable = true;
  writableLength = 0;
  writableNeedDrain = false;
  isStalled = false;

  write(chunk: Buffer): boolean {
    this.text += chunk.toString();
    this.writes += 1;
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

const turn = () => new Promise((resolve) => setImmediate(resolve));

function open(options: { held?: boolean } = {}) {
  const socket = new ScriptedSocket();
  let overflows = 0;
  const outbox = new Outbox(socket, {
    limitBytes: LIMIT,
    onOverflow: () => {
      overflows += 1;
    },
    ...options,
  });
  return { socket, outbox, overflows: () => overflows };
}

type Step =
  | { do: "push"; bytes: number }
  | { do: "pushLatest"; slot: string; bytes: number }
  | { do: "turn" | "stall" | "drain" | "release" | "finish" | "close" };

const bytes = fc.integer({ min: 4, max: 24 });
const push = fc.record<Step>({ do: fc.constant("push"), bytes });
const pushLatest = fc.record<Step>({
  do: fc.constant("pushLatest"),
  slot: fc.constantFrom("a", "b", "c"),
  bytes,
});
const other = (...kinds: string[]) =>
  fc.record({ do: fc.constantFrom(...kinds) }) as fc.Arbitrary<Step>;
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: push },
    { weight: 6, arbitrary: pushLatest },
    { weight: 8, arbitrary: other("turn", "stall", "drain") },
    { weight: 2, arbitrary: other("release") },
    { weight: 1, arbitrary: other("finish", "close") },
  ),
  { minLength: 1, maxLength: 60 },
);

/** What an outbox should do, written down without regard to cost. */
class Model {
  written = "";
  queue: { text: string; slot: string | null }[] = [];
  inSocket = 0;
  isStalled = false;
  needsDrain = false;
  state: "held" | "open" | "over";
  overflows = 0;

  constructor(held: boolean) {
    this.state = held ? "held" : "open";
  }

  get pending(): number {
    return this.inSocket + this.queue.reduce((sum, { text }) => sum + text.length, 0);
  }

  push(text: string, slot: string | null): void {
    if (this.state === "over") return;
    const conflated = slot !== null && this.needsDrain;
    if (conflated) this.queue = this.queue.filter((entry) => entry.slot !== slot);
    this.queue.push({ text, slot: conflated ? slot : null });
    if (this.pending > LIMIT) this.write();
    if (this.pending <= LIMIT) return;
    this.overflows += 1;
    this.over();
  }

  write(): void {
    if (this.state === "open" && !this.needsDrain) this.writeAll();
  }

  writeAll(): void {
    for (const { text } of this.queue) {
      this.written += text;
      if (this.isStalled) this.inSocket += text.length;
    }
    this.queue = [];
    if (this.inSocket >= HIGH_WATER_MARK) this.needsDrain = true;
  }

  over(): void {
    this.state = "over";
    this.queue = [];
  }
}

test("S5 S9 T8: frames stay whole and in order, only a stalled slot's older frames give way, overflow ends it once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), steps, async (held, script) => {
      const { socket, outbox, overflows } = open({ held });
      const model = new Model(held);
      let next = 0;
      const frame = (length: number) =>
        String(next++)
          .padEnd(length - 1, "-")
          .concat(";");

      for (const step of [
        ...script,
        { do: "release" },
        { do: "drain" },
        { do: "turn" },
      ] as Step[]) {
        if (step.do === "push") {
          const text = frame(step.bytes);
          outbox.push(Buffer.from(text));
          model.push(text, null);
        } else if (step.do === "pushLatest") {
          const text = frame(step.bytes);
          outbox.pushLatest(step.slot, Buffer.from(text));
          model.push(text, step.slot);
        } else if (step.do === "turn") {
          await turn();
          model.write();
        } else if (step.do === "stall") {
          socket.isStalled = true;
          model.isStalled = true;
        } else if (step.do === "drain") {
          await turn();
          model.write();
          socket.drain();
          model.isStalled = false;
          model.inSocket = 0;
          model.needsDrain = false;
          model.write();
        } else if (step.do === "release") {
          outbox.release();
          if (model.state === "held") model.state = "open";
        } else if (step.do === "finish") {
          outbox.finish();
          if (model.state === "open") model.writeAll();
          model.over();
        } else {
          outbox.close();
          model.over();
        }
        expect(outbox.pendingBytes).toBe(model.pending);
        expect(overflows()).toBe(model.overflows);
      }
      expect(socket.text).toBe(model.written);
    }),
    { numRuns: 500 },
  );
});

test("frames of one turn leave in one write", async () => {
  const { socket, outbox } = open();
  outbox.push(Buffer.from("a"));
  outbox.push(Buffer.from("b"));
  outbox.pushLatest("slot", Buffer.from("c"));
  outbox.pushLatest("slot", Buffer.from("d"));
  expect(socket.writes).toBe(0);
  await turn();
  expect(socket.text).toBe("abcd");
  expect(socket.writes).toBe(1);
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

test("S9: a burst within one turn is no slow reader, as long as the kernel takes it", async () => {
  const { socket, outbox, overflows } = open();
  for (let i = 0; i < 10; i++) outbox.push(Buffer.alloc(LIMIT / 2, "x"));
  await turn();
  expect(overflows()).toBe(0);
  expect(socket.text.length).toBe(5 * LIMIT);
});

test("nothing is written to a socket that is no longer writable", async () => {
  const { socket, outbox } = open();
  outbox.push(Buffer.from("a"));
  socket.writable = false;
  await turn();
  expect(socket.writes).toBe(0);
  expect(outbox.pendingBytes).toBe(0);
});
