import type { LogBounds } from "./log-bounds.ts";
import type { StoredEvent } from "./stream-reads.ts";

export interface SharedPage {
  readonly events: readonly StoredEvent[];
  /** Whoever was read from has nothing more; by the leader's word, that nothing more is there. */
  readonly isEnd: boolean;
  /** Read after the events: what was there then was there when they were read. */
  readonly bounds: LogBounds;
}

/** Pages of a log for those who read the same at the same time, as the devices of one vendor do when they come back. */
export interface SharedPages {
  /** The page of a subject behind a sequence: one that was read a moment ago, or is being read, or what `read` gives. */
  read(
    subject: string,
    afterSequence: number,
    read: () => Promise<SharedPage>,
  ): Promise<SharedPage>;
  /** The log may be another from now on. */
  clear(): void;
}

/** Short, for it is old news from then on. */
const KEPT_MS = 2_000;
/** A page is 256 KiB or less, but for events that are larger than usual. */
const PAGES_KEPT = 64;

export function createSharedPages(): SharedPages {
  const pages = new Map<string, { readonly page: Promise<SharedPage>; readonly atMs: number }>();

  function forgetOld(): void {
    const beforeMs = performance.now() - KEPT_MS;
    for (const [key, { atMs }] of pages) {
      if (atMs > beforeMs && pages.size < PAGES_KEPT) return;
      pages.delete(key);
    }
  }

  return {
    read(subject, afterSequence, read) {
      forgetOld();
      const key = `${subject} ${afterSequence}`;
      const known = pages.get(key);
      if (known) return known.page;
      const page = read();
      const entry = { page, atMs: performance.now() };
      pages.set(key, entry);
      page.catch(() => {
        if (pages.get(key) === entry) pages.delete(key);
      });
      setTimeout(forgetOld, KEPT_MS).unref();
      return page;
    },
    clear: () => pages.clear(),
  };
}
