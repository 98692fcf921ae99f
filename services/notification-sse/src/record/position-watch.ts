import { setTimeout as sleep } from "node:timers/promises";
import { readPosition } from "@localstreet/db/order-reads";
import type { Pool } from "@localstreet/db/pool";
import { inTime } from "../in-time.ts";

/** A place in a log that the record is to reach. */
export interface RecordEnd {
  readonly epoch: string;
  readonly sequence: number;
}

/** How far the record is, for those who wait for it: one light read at a time, however many they are (PROTOCOL.md S45). */
export interface PositionWatch {
  /**
   * Resolves when the record has reached the place, and after `timeoutMs` milliseconds all the same, or at once when too many
   * wait. Whoever reads then sees by the position whether it has.
   */
  reached(end: RecordEnd, timeoutMs: number): Promise<void>;
}

const ASK_AGAIN_MS = 25;

/** @param options.waiting how many may wait at the same time. */
export function createPositionWatch(options: { pool: Pool; waiting: number }): PositionWatch {
  const { pool } = options;
  const waiting = new Set<{ end: RecordEnd; resolve: () => void }>();
  let known: RecordEnd | null = null;
  let isAsking = false;

  const isReached = ({ epoch, sequence }: RecordEnd) =>
    known !== null && known.epoch === epoch && known.sequence >= sequence;

  /** Until nobody waits any more. */
  async function ask(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    while (waiting.size > 0) {
      const answer = await readPosition(pool).catch(() => "failed" as const);
      known = answer === "failed" ? null : answer;
      for (const one of waiting) {
        // Those who wait read the record themselves, and say what is wrong.
        if (answer !== "failed" && !isReached(one.end)) continue;
        waiting.delete(one);
        one.resolve();
      }
      if (waiting.size > 0) await sleep(ASK_AGAIN_MS);
    }
    isAsking = false;
  }

  return {
    async reached(end, timeoutMs) {
      if (isReached(end) || timeoutMs <= 0 || waiting.size >= options.waiting) return;
      let one: { end: RecordEnd; resolve: () => void } | undefined;
      const reached = new Promise<void>((resolve) => {
        one = { end, resolve };
        waiting.add(one);
      });
      ask().catch(() => {});
      try {
        await inTime(timeoutMs, reached, undefined);
      } finally {
        if (one) waiting.delete(one);
      }
    },
  };
}
