import type { ConnectionState } from "@localstreet/client/connection-state";
import { timeUntil } from "./wait.ts";

/** Who of many clients is connected, and how often they were not. */
export interface Presence {
  /** For the `onState` of one more client. */
  enter(name: string): (state: ConnectionState) => void;
  /** Who is not connected, and why. */
  missing(): string[];
  readonly wanted: number;
  readonly open: number;
  /** Connections lost since the start. */
  readonly lost: number;
  /** The longest that anybody was away before coming back, in milliseconds. */
  readonly longestAwayMs: number;
  /**
   * How long it takes until everybody is connected and has been for `steadyMs`, that time not counted: who has lost a
   * connection learns of it only a little later.
   */
  timeUntilAllOpen(timeoutMs: number, steadyMs?: number): Promise<number | null>;
}

export function createPresence(): Presence {
  const away = new Map<string, ConnectionState>();
  let wanted = 0;
  let open = 0;
  let lost = 0;
  let allOpenSinceMs = 0;
  let longestAwayMs = 0;
  return {
    enter(name) {
      wanted += 1;
      let isOpen = false;
      let awaySinceMs: number | undefined;
      return (state) => {
        const { phase } = state;
        if (phase === "open" || phase === "closed") away.delete(name);
        else away.set(name, state);
        if (phase === "open" && !isOpen) {
          isOpen = true;
          open += 1;
          allOpenSinceMs = performance.now();
          if (awaySinceMs !== undefined) {
            longestAwayMs = Math.max(longestAwayMs, Math.round(allOpenSinceMs - awaySinceMs));
          }
        } else if (phase !== "open" && isOpen) {
          isOpen = false;
          awaySinceMs = performance.now();
          open -= 1;
          if (phase === "closed") wanted -= 1;
          else lost += 1;
        }
      };
    },
    missing: () =>
      [...away].map(
        ([name, state]) => `${name}: ${"reason" in state ? state.reason : state.phase}`,
      ),
    get wanted() {
      return wanted;
    },
    get open() {
      return open;
    },
    get lost() {
      return lost;
    },
    get longestAwayMs() {
      return longestAwayMs;
    },
    async timeUntilAllOpen(timeoutMs, steadyMs = 1_500) {
      const startedAtMs = performance.now();
      const isSteady = () =>
        open === wanted && performance.now() - Math.max(startedAtMs, allOpenSinceMs) >= steadyMs;
      const ms = await timeUntil(isSteady, timeoutMs + steadyMs);
      return ms === null ? null : Math.max(0, Math.round(allOpenSinceMs - startedAtMs));
    },
  };
}
