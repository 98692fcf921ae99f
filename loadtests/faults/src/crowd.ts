import { readFileSync } from "node:fs";
import { openEventStream } from "@localstreet/client/event-stream";
import { openSocket } from "@localstreet/client/socket";
import type { Target } from "@localstreet/oracle/target";
import { WebSocket } from "ws";
import { freshId } from "./marketplace.ts";
import { createPresence, type Presence } from "./presence.ts";

/** People who are connected and do nothing: they cost what connections cost. */
export interface Crowd {
  readonly presence: Presence;
  readonly streams: number;
  readonly chats: number;
  leave(): void;
}

/** Through a proxy in this process each of them is a client's socket, the proxy's two, the gateway's two, the service's. */
const DESCRIPTORS_HERE = 3;
const OPENED_AT_A_TIME = 50;

/** @throws when they do not all get in, or this process may not open so many files. */
export async function openCrowd(
  target: Target,
  counts: { streams: number; chats: number },
): Promise<Crowd> {
  requireDescriptors((counts.streams + counts.chats) * DESCRIPTORS_HERE);
  const presence = createPresence();
  const clients: { close(): void }[] = [];
  const kinds = [
    ...Array.from({ length: counts.streams }, () => "stream" as const),
    ...Array.from({ length: counts.chats }, () => "chat" as const),
  ];
  for (let start = 0; start < kinds.length; start += OPENED_AT_A_TIME) {
    for (const kind of kinds.slice(start, start + OPENED_AT_A_TIME)) {
      const vendorId = freshId("vendor");
      const identity = {
        role: "vendor",
        sub: `staff-of-${vendorId}`,
        vendors: [vendorId],
      } as const;
      const token = () => target.tokenFor(identity);
      const onState = presence.enter(`${kind} of ${vendorId}`);
      clients.push(
        kind === "stream"
          ? openEventStream({
              url: `${target.url}/api/vendor/${vendorId}/notifications/stream`,
              token,
              onState,
              onEvent() {},
            })
          : openSocket({
              url: `${target.socketUrl}/api/chat/ws`,
              token,
              onState,
              WebSocket,
              onFrame() {},
            }),
      );
    }
    if ((await presence.timeUntilAllOpen(30_000, 0)) === null) {
      throw new Error(`only ${presence.open} of ${presence.wanted} of the crowd got in`);
    }
  }
  return {
    presence,
    ...counts,
    leave() {
      for (const client of clients) client.close();
    },
  };
}

function requireDescriptors(count: number): void {
  let limit = Number.POSITIVE_INFINITY;
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    return;
  }
  const needed = count + 500;
  if (limit >= needed) return;
  throw new Error(
    `this shell may open ${limit} files, and ${needed} are needed: \`ulimit -n ${needed}\` first, or a smaller --size`,
  );
}
