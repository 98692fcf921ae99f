import type { Bus } from "./connection.ts";
import { internalsOf } from "./internals.ts";

// What an operator may do to a stream, and no service does. Only the user `admin` may. All throw `BusUnavailableError`.

/** Removes a stream's messages, but for the newest `keep`. @returns how many went. */
export async function purgeStream(bus: Bus, name: string, keep = 0): Promise<number> {
  const { call, jsm } = internalsOf(bus);
  const answer = await call(`purge ${name}`, () =>
    jsm.streams.purge(name, keep === 0 ? undefined : { keep }),
  );
  return answer.purged;
}

/** Removes a stream with all that it holds. `ensureStreams` makes it again, with another epoch. */
export async function deleteStream(bus: Bus, name: string): Promise<void> {
  const { call, jsm } = internalsOf(bus);
  await call(`delete ${name}`, () => jsm.streams.delete(name));
}

/** The node that leads a stream; `null` while none does, or without a cluster. */
export async function readStreamLeader(bus: Bus, name: string): Promise<string | null> {
  const { call, jsm } = internalsOf(bus);
  const info = await call(`leader of ${name}`, () => jsm.streams.info(name));
  return info.cluster?.leader || null;
}
