import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROBLEMS, type ProblemCode } from "@localstreet/contracts/problem";
import { findFreePort } from "@localstreet/stores/free-port";
import type { PrivateServer } from "@localstreet/stores/private-server";
import { until } from "@localstreet/testkit/wait";
import { expect } from "vitest";
import { WebSocketServer } from "ws";
import { ensureCertificate } from "../src/certificate.ts";
import { startGateway } from "../src/gateway.ts";

/** How long a request may take to reach a service here. */
export const STAGE_REQUEST_MS = 2_000;

/** A request as it reached a service. */
export interface Seen {
  replica: string;
  method: string;
  url: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  /** How the body came to its end. */
  ended?: "whole" | "aborted";
}

export interface GatewayStage {
  readonly gateway: PrivateServer;
  readonly url: string;
  readonly tlsUrl: string;
  /** PEM. */
  readonly certificateFile: string;
  readonly folder: string;
  /** Every request that has reached a service, in order. */
  readonly seen: Seen[];
  stop(): Promise<void>;
}

/**
 * A gateway before services that say what they were asked: one replica of `notification-sse`, two of `chat-ws`, one of
 * `tracking-fanout` beside a dead one, and of `tracking-ingest` a dead one alone.
 */
export async function startGatewayStage(
  options: { requestsPerAddress?: number } = {},
): Promise<GatewayStage> {
  const folder = await mkdtemp(join(tmpdir(), "localstreet-gateway-"));
  const webRoot = join(folder, "web");
  await mkdir(join(webRoot, "assets"), { recursive: true });
  await writeFile(join(webRoot, "index.html"), "<!doctype html><title>page</title>");
  await writeFile(join(webRoot, "assets/main-abc123.js"), "export {};");
  await writeFile(join(folder, "directory.json"), '{"demo":true}');
  const seen: Seen[] = [];
  const servers: Server[] = [];
  const replica = async (name: string) => {
    const server = await startStandIn(name, seen);
    servers.push(server);
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const dead = `127.0.0.1:${await findFreePort()}`;
  const certificate = await ensureCertificate(join(folder, "tls"), {
    logFile: join(folder, "openssl.log"),
  });
  const tlsPort = await findFreePort();
  const gateway = await startGateway({
    dir: join(folder, "gateway"),
    tls: { port: tlsPort, certificate },
    webRoot,
    demoDirectoryFile: join(folder, "directory.json"),
    connectionsPerAddress: 12,
    requestsPerAddress: options.requestsPerAddress ?? 10_000,
    allowedOrigins: ["https://shop.example"],
    streamIdleMs: 700,
    upstreams: {
      "notification-sse": [await replica("notification-sse-1")],
      "chat-ws": [await replica("chat-ws-1"), await replica("chat-ws-2")],
      "tracking-ingest": [dead],
      "tracking-fanout": [await replica("tracking-fanout-1"), dead],
    },
  });
  return {
    gateway,
    url: `http://127.0.0.1:${gateway.port}`,
    tlsUrl: `https://127.0.0.1:${tlsPort}`,
    certificateFile: certificate.certificateFile,
    folder,
    seen,
    async stop() {
      await gateway.stop();
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A service that says what it was asked. Words in the path make it behave badly: `broken`, `silent`, `refused`, `stalls`. */
async function startStandIn(replica: string, seen: Seen[]): Promise<Server> {
  const options = {
    connectionsCheckingInterval: 200,
    requestTimeout: STAGE_REQUEST_MS,
    headersTimeout: STAGE_REQUEST_MS,
  };
  const server = createServer(options, (request, response: ServerResponse) => {
    const url = request.url as string;
    const { headers } = request;
    const entry: Seen = { replica, method: request.method as string, url, headers, body: "" };
    seen.push(entry);
    response.setHeader("localstreet-replica", replica);
    if (url.includes("broken")) {
      request.socket.destroy();
      return;
    }
    if (url.includes("silent")) return;
    if (url.includes("offers-upgrade")) {
      response.writeHead(426, {
        connection: "upgrade, close",
        upgrade: "websocket",
        "sec-websocket-version": "13",
      });
      response.end();
      return;
    }
    if (url.includes("/stream")) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("retry: 1000\n\nevent: first\ndata: 1\n\n");
      const keepalive = setInterval(() => response.write(": keepalive\n\n"), 200);
      if (url.includes("stalls")) clearInterval(keepalive);
      response.once("close", () => clearInterval(keepalive));
      return;
    }
    request.on("data", (chunk) => {
      entry.body += chunk;
    });
    request.once("error", () => {
      entry.ended = "aborted";
    });
    request.on("end", () => {
      entry.ended = "whole";
      response.statusCode = url.includes("refused") ? 503 : 200;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ replica }));
    });
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    socket.send(JSON.stringify({ type: "hello", replica, url: request.url }));
    socket.on("message", (data) => socket.send(String(data)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

export async function expectProblem(response: Response, code: ProblemCode): Promise<void> {
  expect(response.status).toBe(PROBLEMS[code].status);
  expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(await response.json()).toEqual({
    type: "about:blank",
    title: PROBLEMS[code].title,
    status: PROBLEMS[code].status,
    code,
  });
}

/**
 * Writes `text` to a server as it is, and the rest once something has happened. Returns everything that comes back until
 * the server closes the connection.
 */
export async function sendRaw(
  port: number,
  text: string,
  rest?: { when: () => boolean; text: string },
): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.once("close", () => resolve(answer));
    socket.once("error", reject);
    socket.write(text);
    if (rest) {
      until(rest.when, { what: "the time for the rest" }).then(
        () => socket.writable && socket.write(rest.text),
        (error) => socket.destroy(error),
      );
    }
  });
}
