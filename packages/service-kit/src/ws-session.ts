import type { ServerResponse } from "node:http";
import websocket from "@fastify/websocket";
import { CLOSE } from "@localstreet/contracts/close-codes";
import { Problem } from "@localstreet/contracts/problem";
import type { FastifyRequest } from "fastify";
import { Counter, Gauge } from "prom-client";
import type { Principal } from "./auth.ts";
import type { CommonConfig, SocketConfig } from "./config.ts";
import type { ConnectionLeases } from "./connection-leases.ts";
import { encodeProblem, REPLICA_HEADER } from "./http.ts";
import type { ServiceKit } from "./service.ts";
import type { SharedRate } from "./shared-rate.ts";
import { type ClientFrame, OpenSocket, type SocketHandlers } from "./socket-session.ts";
import { spreadOver } from "./spread-over.ts";
import { requireHandshake } from "./ws-handshake.ts";

export type { SocketSession } from "./socket-session.ts";

export interface SocketRoute {
  /** Tells every client to go, spread over `windowMs` milliseconds, and resolves when the last one has gone. */
  drain(windowMs: number): Promise<void>;
  close(): void;
}

/** One timer looks after all sessions of a route, in milliseconds. */
const SWEEP_MS = 500;

/**
 * A WebSocket route with everything that chat and tracking do alike: authentication at the upgrade or by the first
 * frame (PROTOCOL.md A4), the end of a token (A7), checked frames (E2), liveness and closes (E3, E4), how many (E9), how
 * often (E20) and how old they may be (E10).
 *
 * `onFrame` handles one frame of a session at a time, in order. A `Problem` that it throws, and an error that calls
 * itself `retryable`, is answered under the frame's `ref`; any other error is logged and answered as `internal`.
 */
export async function registerSocketRoute<F extends ClientFrame, Data>(
  kit: ServiceKit<CommonConfig & SocketConfig>,
  route: SocketHandlers<F, Data> & {
    readonly path: string;
    readonly leases: ConnectionLeases;
    readonly openings: SharedRate;
  },
): Promise<SocketRoute> {
  const { config, http, logger, authenticator, metrics } = kit;
  const sockets = new Set<OpenSocket<F, Data>>();
  const closes = new Counter({
    name: "localstreet_socket_closes_total",
    help: "WebSockets closed by the server, by close code",
    labelNames: ["code"],
    registers: [metrics],
  });
  new Gauge({
    name: "localstreet_sockets_open",
    help: "WebSockets that are open",
    registers: [metrics],
    collect() {
      this.set(sockets.size);
    },
  });
  const context = {
    kit,
    leases: route.leases,
    openings: route.openings,
    frameRate: { perSecond: config.FRAMES_PER_SECOND, burst: config.FRAMES_PER_SECOND * 2 },
    roles: route.roles,
    frameSchema: route.frameSchema,
    onOpen: route.onOpen.bind(route),
    onFrame: route.onFrame.bind(route),
    ...(route.onRenew ? { onRenew: route.onRenew.bind(route) } : {}),
    onClose: route.onClose.bind(route),
    onEnd: (code: number) => closes.inc({ code: String(code) }),
  };
  const sweeper = setInterval(() => {
    const nowMs = performance.now();
    const wallMs = Date.now();
    for (const socket of sockets) {
      try {
        socket.sweep(nowMs, wallMs);
      } catch (error) {
        socket.fail(error);
      }
    }
  }, SWEEP_MS);

  await http.register(websocket, {
    options: {
      maxPayload: config.FRAME_BYTES,
      // `sockets` has them.
      clientTracking: false,
      // Compression costs memory per connection and is how a few bytes become many megabytes.
      perMessageDeflate: false,
      // None is spoken here, and one that is not spoken must not be chosen (RFC 6455 section 4.2.2).
      handleProtocols: () => false,
    },
    // The sessions are told to go by `drain`; the plugin would close them without a code.
    preClose: (done: () => void) => done(),
    errorHandler: (error) => logger.debug({ err: error }, "socket error"),
  });
  http.websocketServer.on("headers", (headers: string[]) => {
    headers.push(`${REPLICA_HEADER}: ${kit.replica}`);
  });
  // What the route has not refused before: a list of subprotocols that is none.
  http.websocketServer.on("wsClientError", ({ message }, socket) => {
    socket.once("finish", () => socket.destroy());
    socket.end(encodeProblem(new Problem("invalid-request", message), kit.replica));
  });
  http.addHook("onRequest", async (request) => {
    const { url } = request.routeOptions;
    // The plugin would open a WebSocket on every other route as well, only to close it.
    if (request.ws && url !== undefined && url !== route.path) {
      throw new Problem("invalid-request", "This is no address of a WebSocket");
    }
  });
  const upgrades = new WeakMap<
    FastifyRequest,
    { response: ServerResponse; principal?: Principal }
  >();
  http.get(
    route.path,
    {
      websocket: true,
      preValidation: async (request, { raw: response }) => {
        requireHandshake(request.headers, request.ws);
        if (kit.isDraining()) throw new Problem("draining");
        const found = authenticator.tokenOf(request.headers);
        if (found.from === "foreign-cookie") throw new Problem("forbidden", "Foreign origin");
        if (found.from === "nowhere") upgrades.set(request, { response });
        else {
          const principal = await authenticator.authenticateUpgrade(request, ...route.roles);
          upgrades.set(request, { response, principal });
        }
      },
    },
    (socket, request) => {
      const { response, principal } = upgrades.get(request) ?? {};
      // What belongs to the request is a third of an idle connection's memory: the response hangs on the raw socket, and
      // the plugin's listener, which the session's own replaces, on the request and the reply.
      response?.detachSocket(request.raw.socket);
      socket.removeAllListeners("error");
      // No await before the session listens, or the first frames would be lost.
      const opened = new OpenSocket(context, socket, request.raw.socket, principal);
      sockets.add(opened);
      socket.once("close", () => sockets.delete(opened));
      // A drain that began while the token was checked does not know of this socket.
      if (kit.isDraining()) opened.end(CLOSE.goingAway, "draining");
    },
  );

  return {
    async drain(windowMs) {
      const leaving = [...sockets];
      await spreadOver(windowMs, leaving, (socket) => socket.end(CLOSE.goingAway, "draining"));
      await Promise.all(leaving.map(({ connection }) => connection.closed));
    },
    close() {
      clearInterval(sweeper);
    },
  };
}
