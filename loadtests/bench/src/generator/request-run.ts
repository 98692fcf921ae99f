import { connect, type Socket } from "node:net";
import { Histogram } from "./histogram.ts";
import { measureOwnShare } from "./own-cost.ts";
import type { Figures, RequestSpec } from "./specs.ts";
import { compileTemplate, newRunName } from "./template.ts";

const HOST = "127.0.0.1";
const HEAD_END = "\r\n\r\n";

/** Keeps one request under way on each connection, for as long as the window lasts. */
export async function runRequests(
  spec: RequestSpec,
  gate: (at: "begin" | "end") => Promise<void>,
): Promise<Figures> {
  const run = newRunName();
  const pathOf = compileTemplate(spec.path, run);
  const bodyOf = compileTemplate(spec.body, run);
  let latencies = new Histogram();
  let answered = 0;
  let refused = 0;
  let firstRefusal = "";
  let number = 0;
  let isOver = false;
  let idle = 0;

  const clients = Array.from({ length: spec.connections }, (_, client) => {
    const token = spec.tokens[client % spec.tokens.length];
    const head = `${spec.method} ${pathOf(client)} HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: `;
    const socket = connect({
      host: HOST,
      port: spec.ports[client % spec.ports.length] as number,
      noDelay: true,
    });
    let sentAtMs = 0;
    let text = "";
    const send = () => {
      if (isOver) {
        idle++;
        return;
      }
      const body = bodyOf(client, number++);
      sentAtMs = performance.now();
      socket.write(`${head}${body.length}${HEAD_END}${body}`);
    };
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      text += chunk;
      if (!isWhole(text)) return;
      latencies.add(performance.now() - sentAtMs);
      if (Number(text.slice(9, 12)) === spec.expectStatus) answered++;
      else {
        refused++;
        firstRefusal ||= text.slice(0, 500);
      }
      text = "";
      send();
    });
    return { socket, send };
  });
  try {
    await Promise.all(clients.map(({ socket }) => connected(socket)));
    let broken = 0;
    for (const { socket } of clients) socket.once("close", () => broken++);
    for (const { send } of clients) send();
    await sleep(spec.warmUpMs);
    if (refused > 0) throw new Error(`a request was refused: ${firstRefusal}`);
    await gate("begin");
    latencies = new Histogram();
    answered = 0;
    const share = measureOwnShare();
    const startedAtMs = performance.now();
    await sleep(spec.windowMs);
    const counted = answered;
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const generatorShare = share();
    await gate("end");
    isOver = true;
    const until = performance.now() + 5_000;
    while (idle + broken < clients.length && performance.now() < until) await sleep(5);
    return {
      delivered: counted,
      deliveredPerSecond: counted / seconds,
      refused,
      broken,
      p50Ms: latencies.percentileMs(50),
      p99Ms: latencies.percentileMs(99),
      maxMs: latencies.maxMs,
      generatorShare,
    };
  } finally {
    for (const { socket } of clients) socket.destroy();
  }
}

function isWhole(text: string): boolean {
  const end = text.indexOf(HEAD_END);
  if (end === -1) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1];
  return text.length >= end + HEAD_END.length + Number(length ?? 0);
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
