import { openEventStream } from "@localstreet/client/event-stream";
import type { SeamClient } from "./seam-client.ts";

/** `packages/client`, without its own dedupe: what it would have thrown away is heard as well. */
export const ownClient: SeamClient = {
  name: "our own client",
  async open({ origins, path, token, hear }) {
    const streams = origins.map((origin, stream) =>
      openEventStream({
        url: origin + path,
        token,
        backoffMs: { base: 20, cap: 100 },
        onEvent: (event) => hear(stream, event),
        onRepeated: (event) => hear(stream, event),
      }),
    );
    return {
      async close() {
        for (const stream of streams) stream.close();
      },
    };
  },
};
