import { useCallback, useEffect, useReducer, useState, useSyncExternalStore } from "react";
import type { Store } from "./store.ts";

/** Something that runs beside the components, shows its state and is closed when it is no longer needed. */
export interface Session<State> {
  readonly store: Store<State>;
  close(): void;
}

/**
 * A session that lives as long as the component and as `open` stays the same function: another `open` closes it and
 * opens the next. `null` opens none. `idle` is the state while there is none. `reopen` closes it and opens the same anew.
 */
export function useSession<State, S extends Session<State>>(
  open: (() => S) | null,
  idle: State,
): { state: State; session: S | null; reopen: () => void } {
  const [life, reopen] = useReducer((lives: number) => lives + 1, 0);
  const [opened, setOpened] = useState<{ by: () => S; life: number; session: S } | null>(null);
  useEffect(() => {
    if (!open) return;
    const session = open();
    setOpened({ by: open, life, session });
    return () => {
      setOpened(null);
      session.close();
    };
  }, [open, life]);
  // Until the effect has run, what is there belongs to somebody else.
  const isCurrent = opened?.by === open && opened.life === life;
  const session = isCurrent ? opened.session : null;
  const subscribe = useCallback(
    (listener: () => void) => session?.store.subscribe(listener) ?? (() => {}),
    [session],
  );
  const state = useSyncExternalStore(subscribe, () => (session ? session.store.get() : idle));
  return { state, session, reopen };
}
