import type { KeptLine } from "./kept-line.ts";
import { openChats } from "./shop-chat.ts";
import type { Ledgers, ShopKit } from "./shop-kit.ts";
import { openStreams } from "./shop-streams.ts";
import { openWatches } from "./shop-watches.ts";

export interface Shop {
  readonly vendorId: string;
  /** Resolves when every connection stands. */
  readonly opened: Promise<void>;
  /** Something happens on every path, until `rest`: an order, a message and a fix in each interval. */
  work(intervalMs: number): void;
  rest(): void;
  /** Ends the delivery and every connection. */
  close(): Promise<void>;
}

/** One vendor with its devices, its buyers at the chat, and a courier who is watched. */
export async function openShop(kit: ShopKit, ledgers: Ledgers): Promise<Shop> {
  const streams = await openStreams(kit, ledgers);
  const chats = await openChats(kit, ledgers);
  const watches = await openWatches(kit, ledgers);
  const lines: readonly KeptLine[] = [...streams.lines, ...chats.lines, ...watches.lines];
  const timers = new Set<NodeJS.Timeout>();

  /** Spread over the interval, so that the shops of a run do not act in step. */
  function every(intervalMs: number, act: () => void): void {
    const first = setTimeout(() => {
      timers.delete(first);
      act();
      timers.add(setInterval(act, intervalMs));
    }, Math.random() * intervalMs);
    timers.add(first);
  }

  return {
    vendorId: kit.vendorId,
    opened: Promise.all(lines.map(({ opened }) => opened)).then(() => {}),
    work(intervalMs) {
      every(intervalMs, () => void streams.placeOrder());
      every(intervalMs, chats.say);
      every(intervalMs, () => void watches.move());
    },
    rest() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
    async close() {
      for (const line of lines) line.close();
      await watches.end();
    },
  };
}
