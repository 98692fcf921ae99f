import type { StreamEvent } from "./sse-parser.ts";

/** Newest ids that are remembered: far more than a server replays twice. */
const REMEMBERED = 2_000;
/** Events about the stream itself: their ids are positions, which several of them and an event may share. */
const CONTROL = new Set(["resume", "ping", "error", "goaway"]);

/** Tells events apart by their ids over all connections of a stream. */
export function createSeenIds(): { isNew(event: StreamEvent): boolean } {
  const ids = new Set<string>();
  return {
    isNew({ event, id }) {
      if (!id || CONTROL.has(event)) return true;
      if (ids.has(id)) return false;
      ids.add(id);
      if (ids.size > REMEMBERED) {
        for (const oldest of ids) {
          ids.delete(oldest);
          break;
        }
      }
      return true;
    },
  };
}
