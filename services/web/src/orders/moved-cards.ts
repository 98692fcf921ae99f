import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

/** How long a card that has moved takes no click: longer than it takes to aim, see, and not press. Milliseconds. */
const INERT_MS = 600;
/** What moves less is where it was. Pixels. */
const MOVED_PIXELS = 4;

export interface MovedCards {
  /** Those that take no click, to be shown so. */
  readonly moved: ReadonlySet<string>;
  /** The same at this very moment, before the page has been drawn again. */
  hasJustMoved(orderId: string): boolean;
}

/**
 * Which cards of a list have just come under wherever the pointer may be: somebody who presses then aimed at what was there
 * before. What the viewer has scrolled has not moved. Cards are found by `data-order`.
 */
export function useMovedCards(list: RefObject<HTMLElement | null>): MovedCards {
  const places = useRef(new Map<string, number>());
  const movedAtMs = useRef(new Map<string, number>());
  const [moved, setMoved] = useState<ReadonlySet<string>>(new Set());

  const hasJustMoved = useCallback((orderId: string) => {
    const atMs = movedAtMs.current.get(orderId);
    return atMs !== undefined && performance.now() - atMs < INERT_MS;
  }, []);

  // After every change of the page, for each may have moved something.
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const seen = new Map<string, number>();
    let hasMoved = false;
    for (const card of element.querySelectorAll<HTMLElement>("[data-order]")) {
      const orderId = card.dataset.order ?? "";
      const top = card.getBoundingClientRect().top + element.scrollTop + window.scrollY;
      seen.set(orderId, top);
      const before = places.current.get(orderId);
      if (before !== undefined && Math.abs(top - before) <= MOVED_PIXELS) continue;
      movedAtMs.current.set(orderId, performance.now());
      hasMoved = true;
    }
    places.current = seen;
    if (hasMoved) setMoved(new Set([...movedAtMs.current.keys()].filter(hasJustMoved)));
  });

  useEffect(() => {
    if (moved.size === 0) return;
    const timer = setTimeout(() => {
      for (const orderId of movedAtMs.current.keys()) {
        if (!hasJustMoved(orderId)) movedAtMs.current.delete(orderId);
      }
      setMoved(new Set(movedAtMs.current.keys()));
    }, INERT_MS);
    return () => clearTimeout(timer);
  }, [moved, hasJustMoved]);

  return { moved, hasJustMoved };
}
