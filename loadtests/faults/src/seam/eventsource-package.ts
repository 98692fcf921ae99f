import { EventSource } from "eventsource";
import { HEARD_EVENTS } from "./heard-events.ts";
import type { SeamClient } from "./seam-client.ts";

/** The npm package `eventsource`, with the token in a header. */
export const eventsourcePackage: SeamClient = {
  name: "npm package eventsource",
  async open({ origins, path, token, hear }) {
    const sources = origins.map((origin, stream) => {
      const source = new EventSource(origin + path, {
        fetch: (input, init) =>
          fetch(input, {
            ...init,
            headers: { ...init.headers, authorization: `Bearer ${token}` },
          }),
      });
      for (const event of HEARD_EVENTS) {
        source.addEventListener(event, ({ lastEventId, data }) => {
          hear(stream, { event, id: lastEventId, data });
        });
      }
      return source;
    });
    return {
      async close() {
        for (const source of sources) source.close();
      },
    };
  },
};
