import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { createLiar } from "./liar.ts";
import { createLyingChat } from "./lying-chat.ts";
import { createLyingOrders } from "./lying-orders.ts";
import { createLyingTracking } from "./lying-tracking.ts";
import {
  type ApiAnswer,
  type ApiRequest,
  answer,
  type Bearer,
  bearerOf,
  type Frame,
  NOT_FOUND,
  readBody,
  sendFrame,
} from "./wire.ts";

export interface LyingServer {
  readonly url: string;
  /** Cuts every connection, and takes no new stream or socket for `downMs`. */
  cutAll(downMs: number): void;
  close(): Promise<void>;
}

/**
 * A server that speaks enough of the protocol for the oracle's clients, keeps everything in memory, checks nothing, and
 * tells one lie; or none, with `null`.
 */
export async function startLyingServer(lie: string | null): Promise<LyingServer> {
  const liar = createLiar(lie);
  const orders = createLyingOrders(liar);
  const chat = createLyingChat(liar, orders.tellActivity);
  const tracking = createLyingTracking(liar);
  const streams = new Set<ServerResponse>();
  let downUntilMs = 0;
  const isDown = () => performance.now() < downUntilMs;

  function openStream(request: IncomingMessage, response: ServerResponse, path: readonly string[]) {
    if (isDown()) {
      answer(response, { status: 503, body: { code: "unavailable" } });
      return;
    }
    streams.add(response);
    response.once("close", () => streams.delete(response));
    const lastEventId = request.headers["last-event-id"];
    orders.openStream(
      { vendorId: path[1] ?? "", isDashboard: path[2] === "activity", response },
      typeof lastEventId === "string" ? lastEventId : undefined,
    );
  }

  function route(method: string | undefined, request: ApiRequest): ApiAnswer {
    const [what, id = "", more, last] = request.path;
    if (method === "POST" && what === "vendor") return orders.take(request);
    if (method === "GET" && what === "vendor") return orders.snapshot(id);
    if (method === "POST" && what === "driver") return tracking.takeFix(request);
    if (method === "PUT" && what === "deliveries") return tracking.putDelivery(request);
    if (method === "GET" && what === "chat" && more === undefined) return chat.list(request);
    if (method === "GET" && what === "chat" && last === "messages") return chat.history(request);
    return NOT_FOUND;
  }

  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://any");
    const path = url.pathname.split("/").slice(2);
    if (path.at(-1) === "stream") {
      openStream(request, response, path);
      return;
    }
    const bearer = bearerOf(String(request.headers.authorization));
    const body = await readBody(request);
    answer(response, route(request.method, { bearer, path, query: url.searchParams, body }));
  }

  function onSocket(socket: WebSocket, request: IncomingMessage): void {
    if (isDown()) {
      socket.terminate();
      return;
    }
    const isChat = request.url === "/api/chat/ws";
    let bearer: Bearer | undefined;
    socket.on("close", () => {
      chat.leave(socket);
      tracking.leave(socket);
    });
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as Frame;
      if (frame.type === "authenticate") {
        bearer = bearerOf(String(frame.token));
        if (isChat) chat.join(socket, bearer);
        sendFrame(socket, {
          type: "authenticated",
          ref: frame.ref ?? 0,
          userId: bearer.sub,
          expiresAt: "2030-01-01T00:00:00.000Z",
          pingIntervalMs: 25_000,
        });
      } else if (bearer && isChat) chat.takeMessage(socket, bearer, frame);
      else if (bearer) tracking.watch(socket, bearer, frame);
    });
  }

  const server = createServer((request, response) => {
    onRequest(request, response).catch((error: unknown) => {
      answer(response, { status: 500, body: { code: "internal", detail: String(error) } });
    });
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", onSocket);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  function cutAll(downMs: number): void {
    downUntilMs = performance.now() + downMs;
    for (const response of streams) response.destroy();
    for (const socket of sockets.clients) socket.terminate();
  }

  return {
    url: `http://127.0.0.1:${port}`,
    cutAll,
    async close() {
      cutAll(0);
      orders.close();
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
