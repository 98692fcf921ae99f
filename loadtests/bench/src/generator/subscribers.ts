import { connect, type Socket } from "node:net";
import { MarkerScanner } from "./marker-scanner.ts";
import type { OpeningStep, SubscriberSpec } from "./specs.ts";
import { compileTemplate } from "./template.ts";
import { encodeClientFrame } from "./ws-frames.ts";

const HOST = "127.0.0.1";
const OPEN_TIMEOUT_MS = 30_000;
/** Reads are handled one by one and nothing is kept of them, so all sockets read into the same memory. */
const readBuffer = Buffer.allocUnsafeSlow(128 * 1_024);
/** Any key will do: nobody here checks the answer to it. */
const WS_HEADERS =
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

export interface OpenConnection {
  readonly socket: Socket;
  /** The last event id that the opening told, for streams. */
  readonly lastEventId: string | undefined;
}

export interface OpenOptions {
  readonly run: string;
  readonly marker: string;
  readonly onNumber: (connection: number, number: number) => void;
  /** Connections on their way at the same time. */
  readonly atOnce?: number;
  /** The topic of the first connection; 0 when it is absent. */
  readonly firstTopic?: number;
  readonly lastEventIds?: readonly (string | undefined)[];
  /** A connection that breaks after it was open. */
  readonly onLost?: (connection: number) => void;
}

/** Opens all connections of a spec. @throws when one of them cannot be opened, with what its server said. */
export async function openSubscribers(
  spec: SubscriberSpec,
  options: OpenOptions,
): Promise<OpenConnection[]> {
  const path = compileTemplate(spec.path, options.run);
  const opened: OpenConnection[] = new Array(spec.connections);
  let next = 0;
  async function openInTurn(): Promise<void> {
    while (next < spec.connections) {
      const index = next++;
      opened[index] = await openOne(index);
    }
  }
  async function openOne(index: number): Promise<OpenConnection> {
    const topic = ((options.firstTopic ?? 0) + index) % spec.topics;
    const token = spec.tokens?.values[Math.floor(topic / spec.tokens.topicsEach)];
    const lastEventId = options.lastEventIds?.[index];
    const request =
      `GET ${path(topic)} HTTP/1.1\r\nHost: ${HOST}\r\n` +
      (spec.transport === "ws" ? WS_HEADERS : "Accept: text/event-stream\r\n") +
      (token === undefined ? "" : `Authorization: Bearer ${token}\r\n`) +
      (lastEventId === undefined ? "" : `Last-Event-ID: ${lastEventId}\r\n`) +
      "\r\n";
    return await openConnection({
      port: spec.ports[index % spec.ports.length] as number,
      request,
      ready: spec.ready,
      steps: (spec.steps ?? []).map((step) => ({
        until: step.until,
        ...(step.send === undefined
          ? {}
          : { send: compileTemplate(step.send, options.run)(topic) }),
      })),
      marker: options.marker,
      onNumber: (number) => options.onNumber(index, number),
      onLost: () => options.onLost?.(index),
    });
  }
  const inTurn = Array.from({ length: options.atOnce ?? 200 }, openInTurn);
  try {
    await Promise.all(inTurn);
  } catch (error) {
    next = spec.connections;
    await Promise.allSettled(inTurn);
    closeAll(opened);
    throw error;
  }
  return opened;
}

/** Opens one connection and hands every number that it brings to `onNumber`, those right behind the opening too. */
export function openConnection(options: {
  port: number;
  request: string;
  ready: string;
  steps: readonly OpeningStep[];
  marker: string;
  onNumber: (number: number) => void;
  onBytes?: (bytes: Buffer) => void;
  onLost?: () => void;
}): Promise<OpenConnection> {
  const { onNumber } = options;
  const scanner = new MarkerScanner(options.marker);
  const waitsFor = [options.ready, ...options.steps.map((step) => step.until)];
  let opening: string | undefined = "";
  let lastEventId: string | undefined;
  let step = 0;
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(`port ${options.port}: ${why}`));
    };
    const timer = setTimeout(() => fail(`no answer: ${opening}`), OPEN_TIMEOUT_MS);

    /** What has come is searched for what the next step waits for. */
    function advance(bytes: Buffer): void {
      opening += bytes.toString("latin1");
      for (;;) {
        const text = opening as string;
        const wanted = waitsFor[step] as string;
        const at = text.indexOf(wanted);
        if (at === -1) {
          if (/^HTTP\/1\.1 (?!200|101)/.test(text)) fail(`refused: ${text.slice(0, 300)}`);
          return;
        }
        lastEventId = /^id: (\S+)$/m.exec(text)?.[1] ?? lastEventId;
        const rest = text.slice(at + wanted.length);
        step++;
        if (step === waitsFor.length) {
          clearTimeout(timer);
          opening = undefined;
          resolve({ socket, lastEventId });
          if (rest !== "") receive(Buffer.from(rest, "latin1"));
          return;
        }
        opening = rest;
        const { send } = options.steps[step - 1] as OpeningStep;
        if (send !== undefined) socket.write(encodeClientFrame(send));
      }
    }
    function receive(bytes: Buffer): void {
      scanner.scan(bytes, onNumber);
      options.onBytes?.(bytes);
    }
    const socket = connect({
      host: HOST,
      port: options.port,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback(length) {
          const bytes = readBuffer.subarray(0, length);
          if (opening === undefined) receive(bytes);
          else advance(bytes);
          return true;
        },
      },
    });
    socket.once("error", (error) => fail(error.message));
    socket.on("error", () => {});
    socket.once("close", () => {
      if (opening !== undefined) fail(`closed: ${opening}`);
      else options.onLost?.();
    });
    socket.write(options.request);
  });
}

export function closeAll(connections: readonly (OpenConnection | undefined)[]): void {
  for (const connection of connections) {
    connection?.socket.removeAllListeners("close");
    connection?.socket.resetAndDestroy();
  }
}
