import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { Store } from "./store.ts";

/** Something that runs beside the components, shows its state and is closed when it is no longer needed. */
export interface Session<State> {
  readonly store: Store<State>;
  close(): void;
}

/**
 * A session that lives as long as the component and as `open` stays the same function: another `open` closes it and
 * opens the next. `null` opens none. `idle` is the state while there is none.
 */
export function useSession<State, S extends Session<State>>(
  open: (() => S) | null,
  idle: State,
): { state: State; session: S | null } {
  const [opened, setOpened] = useState<{ by: () => S; session: S } | null>(null);
  useEffect(() => {
    if (!open) return;
    const session = open();
    setOpened({ by: open, session });
    return () => {
      setOpened(null);
      session.close();
    };
  }, [open]);
  // Until the effect has run, what is there belongs to somebody else.
  const session = opened && opened.by === open ? opened.session : null;
  const subscribe = useCallback(
    (listener: () => void) => session?.store.subscribe(listener) ?? (() => {}),
    [session],
  );
  const state = useSyncExternalStore(subscribe, () => (session ? session.store.get() : idle));
  return { state, session };
}
