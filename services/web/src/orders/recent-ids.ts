/** How many orders come back when the page is opened again. */
const KEPT = 20;

/**
 * The ids of a vendor's newest events, kept in the tab. A stream that is opened again from the oldest of them replays
 * what the page had shown. Storage that is switched off or full costs that comfort and nothing else.
 */
export function openRecentIds(storageKey: string): {
  readonly oldest: string | undefined;
  add(id: string): void;
  /** They belong to a history that the server no longer knows. */
  forget(): void;
} {
  let ids = read(storageKey);
  const write = () => {
    try {
      sessionStorage.setItem(storageKey, JSON.stringify(ids));
    } catch {}
  };
  return {
    oldest: ids[0],
    add(id) {
      if (ids.includes(id)) return;
      // One more than orders: the stream goes on after the oldest.
      ids = [...ids, id].slice(-KEPT - 1);
      write();
    },
    forget() {
      ids = [];
      write();
    },
  };
}

function read(storageKey: string): string[] {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(storageKey) ?? "[]");
    return Array.isArray(value) ? value.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}
