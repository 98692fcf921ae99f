import { createRequire, syncBuiltinESMExports } from "node:module";
import type * as TimersPromises from "node:timers/promises";

/** Beyond this many turns within one step a program does not come to rest. */
const TURNS_AT_MOST = 10_000;

interface Timer {
  atMs: number;
  readonly order: number;
  readonly everyMs: number | null;
  readonly run: () => void;
}

const realImmediate = setImmediate;
const RealDate = Date;
/** Half a second past midnight, so that no schedule depends on the day. */
const START_MS = RealDate.UTC(2026, 0, 1, 0, 0, 0, 500);

/**
 * Time and chance of this process, replaced for good: `setTimeout`, `setInterval`, `setImmediate`, `performance.now`,
 * `Date`, `Math.random` and `node:timers/promises`. Time moves only by `advance`; what is due then runs in order. Promises
 * stay real: `settle` drains them by real turns of the event loop.
 *
 * Import it before anything that binds a timer of its own.
 */
export class VirtualTime {
  #nowMs = 0;
  #order = 0;
  #timers: Timer[] = [];
  #immediates: (() => void)[] = [];
  #random: () => number = () => 0.5;

  /** Milliseconds since the start, as `performance.now` tells. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** As `Date.now` tells. */
  get wallMs(): number {
    return START_MS + this.#nowMs;
  }

  /** Begins anew: no timer is left, and chance repeats itself. */
  reset(seed: number): void {
    this.#nowMs = 0;
    this.#order = 0;
    this.#timers = [];
    this.#immediates = [];
    this.#random = seededRandom(seed);
  }

  /** Runs what is ready, until nothing more is without time moving on. */
  async settle(): Promise<void> {
    for (let turns = 0; ; turns++) {
      await new Promise<void>((resolve) => realImmediate(resolve));
      if (this.#immediates.length === 0) return;
      if (turns > TURNS_AT_MOST) throw new Error("it does not come to rest");
      const ready = this.#immediates;
      this.#immediates = [];
      for (const run of ready) run();
    }
  }

  /** Moves time on, stopping at each timer on the way, `between` being called after each. */
  async advance(ms: number, between: () => void = () => {}): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#next();
      if (!next || next.atMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.everyMs === null) this.#timers.splice(this.#timers.indexOf(next), 1);
      else next.atMs += Math.max(1, next.everyMs);
      next.run();
      await this.settle();
      between();
    }
    this.#nowMs = untilMs;
    await this.settle();
  }

  /** How long until the next timer is due, in milliseconds; infinite when none is set. */
  get untilNextMs(): number {
    const next = this.#next();
    return next ? Math.max(0, next.atMs - this.#nowMs) : Number.POSITIVE_INFINITY;
  }

  install(): void {
    const setTimer = (run: () => void, ms: number, everyMs: number | null): Timer & Handle => {
      const atMs = this.#nowMs + Math.max(1, Number(ms) || 0);
      const timer = Object.assign(new Handle(), { atMs, order: this.#order++, everyMs, run });
      this.#timers.push(timer);
      return timer;
    };
    const clearTimer = (timer: unknown) => {
      const at = this.#timers.indexOf(timer as Timer);
      if (at !== -1) this.#timers.splice(at, 1);
    };
    const immediate = (run: () => void) => {
      this.#immediates.push(run);
      return new Handle();
    };
    const time = this;
    class VirtualDate extends RealDate {
      constructor(...values: [] | [number | string | Date]) {
        if (values.length === 0) super(time.wallMs);
        else super(...(values as [number]));
      }
      static override now(): number {
        return time.wallMs;
      }
    }
    const globals = globalThis as unknown as Record<string, unknown>;
    globals.setTimeout = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      setTimer(() => run(...args), ms, null);
    globals.setInterval = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      setTimer(() => run(...args), ms, ms);
    globals.setImmediate = (run: (...args: unknown[]) => void, ...args: unknown[]) =>
      immediate(() => run(...args));
    globals.clearTimeout = clearTimer;
    globals.clearInterval = clearTimer;
    globals.Date = VirtualDate;
    performance.now = () => this.#nowMs;
    Math.random = () => this.#random();
    const promises: { -readonly [K in keyof typeof TimersPromises]: unknown } = createRequire(
      import.meta.url,
    )("node:timers/promises");
    promises.setTimeout = (ms: number, value: unknown, options?: { signal?: AbortSignal }) =>
      new Promise((resolve, reject) => {
        const signal = options?.signal;
        const abort = () => {
          clearTimer(timer);
          reject(signal?.reason);
        };
        const timer = setTimer(
          () => {
            signal?.removeEventListener("abort", abort);
            resolve(value);
          },
          ms,
          null,
        );
        signal?.addEventListener("abort", abort);
      });
    promises.setImmediate = (value: unknown) =>
      new Promise((resolve) => immediate(() => resolve(value)));
    syncBuiltinESMExports();
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      const isEarlier =
        !next || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order);
      if (isEarlier) next = timer;
    }
    return next;
  }
}

/** What `setTimeout` returns, as far as it is used. */
class Handle {
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

/** Mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
