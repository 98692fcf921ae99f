import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface SseServer extends AsyncDisposable {
  readonly url: string;
  /** One for each request so far, the newest last. */
  readonly requests: IncomingMessage[];
}

/** A server whose answer to its n-th request is the n-th handler; the last one answers all that follow. */
export async function startSseServer(
  ...handlers: ((response: ServerResponse) => void)[]
): Promise<SseServer> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const handler = handlers[Math.min(requests.length, handlers.length) - 1];
    handler?.(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/stream`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers with an event stream that begins with `text`. */
export function streaming(text: string, then?: "end" | "destroy") {
  return (response: ServerResponse) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    if (then === "end") response.end(text);
    else response.write(text, () => then === "destroy" && response.destroy());
  };
}

export function answering(status: number, headers: Record<string, string> = {}) {
  return (response: ServerResponse) => {
    response.writeHead(status, headers).end();
  };
}
