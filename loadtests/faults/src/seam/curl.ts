import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { HeardEvent } from "@localstreet/oracle/stream-recorder";
import type { SeamClient } from "./seam-client.ts";

const AGAIN_MS = 20;

/** `curl -N`, started again whenever it ends, with the last id of a whole event that it printed. */
export const curl: SeamClient = {
  name: "curl",
  async open({ origins, path, token, hear }) {
    const closing = new AbortController();
    const loops = origins.map(async (origin, stream) => {
      let lastEventId: string | undefined;
      while (!closing.signal.aborted) {
        const child = start(origin + path, token, lastEventId);
        const kill = () => child.kill("SIGKILL");
        closing.signal.addEventListener("abort", kill);
        for await (const event of readEvents(child.stdout)) {
          if (event.id !== null) lastEventId = event.id;
          hear(stream, event);
        }
        closing.signal.removeEventListener("abort", kill);
        await sleep(AGAIN_MS, undefined, { signal: closing.signal }).catch(() => {});
      }
    });
    return {
      async close() {
        closing.abort();
        await Promise.all(loops);
      },
    };
  },
};

function start(
  url: string,
  token: string,
  lastEventId: string | undefined,
): ChildProcessByStdio<null, Readable, null> {
  const headers = [
    "Accept: text/event-stream",
    `Authorization: Bearer ${token}`,
    ...(lastEventId === undefined ? [] : [`Last-Event-ID: ${lastEventId}`]),
  ];
  return spawn("curl", ["-sN", ...headers.flatMap((header) => ["-H", header]), url], {
    stdio: ["ignore", "pipe", "ignore"],
  });
}

/** Reads what curl printed as any script would, line by line; an event that was cut off is none. */
async function* readEvents(output: Readable): AsyncGenerator<HeardEvent> {
  let rest = "";
  let fields: Record<string, string> = {};
  output.setEncoding("utf8");
  for await (const chunk of output) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== "") {
        const [, name = "", value = ""] = /^(\w*): ?(.*)$/.exec(line) ?? [];
        if (name !== "") fields[name] = value;
        continue;
      }
      const { event, id, data } = fields;
      fields = {};
      if (event !== undefined && data !== undefined) yield { event, id: id ?? null, data };
    }
  }
}
