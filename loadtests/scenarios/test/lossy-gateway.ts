import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** What the gateway loses, once each. */
type Loss = "order" | "message" | "fix";

type Frame = { type: string; ref: number; [field: string]: unknown };

/**
 * A server that looks like the platform to the smoke test, keeps everything in memory and checks nothing, in order to show that the
 * smoke test notices when something is acknowledged and lost.
 */
export async function startLossyGateway(...losses: Loss[]) {
  const toLose = new Set(losses);
  const lose = (what: Loss) => toLose.delete(what);
  const streams = new Map<string, Set<ServerResponse>>();
  const parties = new Map<string, Set<WebSocket>>();
  const watchers = new Map<string, Set<WebSocket>>();
  const drivers = new Map<string, string>();
  const lastSeq = new Map<string, number>();
  let nextEvent = 1;

  const push = (sockets: Iterable<WebSocket> | undefined, frame: object) => {
    for (const socket of sockets ?? []) socket.send(JSON.stringify(frame));
  };
  const tell = (stream: string, text: string) => {
    for (const response of streams.get(stream) ?? []) response.write(text);
  };

  function openStream(path: string, response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write('event: resume\nid: e0\ndata: {"status":"fresh"}\n\n');
    add(streams, path, response);
  }

  function takeOrder(vendorId: string, order: { orderId: string }, response: ServerResponse): void {
    const id = `e${nextEvent++}`;
    response.writeHead(202).end(JSON.stringify({ id, duplicate: false }));
    const text = `id: ${id}\nevent: new-order\ndata: ${JSON.stringify(order)}\n\n`;
    if (!lose("order")) tell(`/api/vendor/${vendorId}/notifications/stream`, text);
    tell(`/api/vendor/${vendorId}/activity/stream`, text);
  }

  function takeMessage(socket: WebSocket, party: string, frame: Frame): void {
    const vendorId = String(frame.to ?? frame.conversationId);
    const seq = (lastSeq.get(vendorId) ?? 0) + 1;
    lastSeq.set(vendorId, seq);
    const { ref, clientMessageId, content } = frame;
    const message = {
      ...{
        clientMessageId,
        content,
        seq,
        conversationId: vendorId,
        messageId: `m-${vendorId}-${seq}`,
      },
      ...{ senderId: party, side: party === vendorId ? "vendor" : "buyer", orderId: null },
      createdAt: new Date().toISOString(),
    };
    push([socket], { ...message, type: "ack", duplicate: false, ref });
    const other = party === vendorId ? buyerOf(vendorId) : vendorId;
    if (!lose("message")) push(parties.get(other), { ...message, type: "message" });
    const data = JSON.stringify({ kind: "chat", text: content });
    tell(`/api/vendor/${vendorId}/activity/stream`, `event: activity\ndata: ${data}\n\n`);
  }

  const server = createServer(async (request, response) => {
    const url = request.url ?? "";
    const [, , kind, id = "", route] = url.split("/");
    if (url.endsWith("/stream")) return openStream(url, response);
    const body = await readJson(request);
    if (route === "orders") takeOrder(id, body, response);
    else if (route === "location") {
      response.writeHead(204).end();
      if (lose("fix")) return;
      const deliveryId = drivers.get(id) ?? "";
      const timestamp = new Date().toISOString();
      const fix = { accuracy: null, heading: null, speed: null, recordedAt: timestamp, ...body };
      push(watchers.get(deliveryId), { ...fix, timestamp, deliveryId, type: "location-update" });
    } else if (kind === "deliveries") {
      drivers.set(body.driverId, id);
      response.writeHead(body.status === "assigned" ? 201 : 200).end("{}");
      push(watchers.get(id), { type: "delivery-updated", deliveryId: id, status: body.status });
    } else response.writeHead(404).end();
  });

  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    let party = "";
    socket.on("message", (text) => {
      const frame = JSON.parse(String(text)) as Frame;
      if (frame.type === "authenticate") {
        party = partyOf(String(frame.token));
        add(parties, party, socket);
        const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
        const about = { userId: party, expiresAt, pingIntervalMs: 25_000 };
        push([socket], { ...about, type: "authenticated", ref: frame.ref });
      } else if (frame.type === "watch-delivery") {
        add(watchers, String(frame.deliveryId), socket);
        const driver = { state: "lost", position: null, fixAt: null };
        const watching = { deliveryId: frame.deliveryId, status: "assigned", driver };
        push([socket], { ...watching, type: "watching", ref: frame.ref });
      } else takeMessage(socket, party, frame);
    });
  });

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function partyOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  return claims.role === "vendor" ? claims.vendors[0] : claims.sub;
}

/** The smoke test's visitors name themselves after one another. */
function buyerOf(vendorId: string): string {
  return vendorId.replace("vendor", "buyer");
}

function add<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  map.set(key, (map.get(key) ?? new Set()).add(value));
}

async function readJson(request: IncomingMessage) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text === "" ? {} : JSON.parse(text);
}
