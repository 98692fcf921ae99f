import type { Socket } from "node:net";
import type { Filter } from "./tcp-proxy.ts";

/** One way of a proxied connection. */
export interface Pipe {
  /** For what comes from now on; what waits already keeps its time. */
  setDelay(ms: number): void;
  /** While blocked nothing is read, so TCP's own windows hold the sender back. */
  setBlocked(blocked: boolean): void;
  /** Passes nothing any more. */
  stop(): void;
}

/** Bytes that wait for their time; more are left to TCP. */
const MAX_WAITING_BYTES = 1024 * 1024;

interface Waiting {
  /** `null` stands for the end. */
  readonly chunk: Buffer | null;
  readonly dueAtMs: number;
}

/** Passes on what `from` sends to `to`, its end included, and reads no faster than `to` takes it. */
export function createPipe(from: Socket, to: Socket, filter?: Filter): Pipe {
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let delayMs = 0;
  let isBlocked = false;
  let isStopped = false;
  let isFull = false;
  let timer: NodeJS.Timeout | undefined;

  from.on("data", (chunk: Buffer) => pass(filter ? filter(chunk) : chunk));
  from.on("end", () => pass(null));
  const onDrain = () => {
    isFull = false;
    flow();
  };
  to.on("drain", onDrain);
  to.once("close", stop);
  from.once("close", () => {
    // What waits still arrives, unless nothing can.
    if (waiting.length === 0) stop();
  });

  function pass(chunk: Buffer | null): void {
    if (isStopped) return;
    if (delayMs === 0 && waiting.length === 0 && !isBlocked) {
      write(chunk);
      return;
    }
    waiting.push({ chunk, dueAtMs: performance.now() + delayMs });
    waitingBytes += chunk?.length ?? 0;
    flow();
  }

  function write(chunk: Buffer | null): void {
    if (chunk === null) to.end();
    else if (chunk.length > 0 && !to.write(chunk)) {
      isFull = true;
      from.pause();
    }
  }

  function flow(): void {
    clearTimeout(timer);
    if (isStopped) return;
    while (!isBlocked && !isFull) {
      const [first] = waiting;
      if (first === undefined) break;
      const restMs = first.dueAtMs - performance.now();
      if (restMs > 0) {
        timer = setTimeout(flow, Math.ceil(restMs));
        break;
      }
      waiting.shift();
      waitingBytes -= first.chunk?.length ?? 0;
      write(first.chunk);
    }
    if (isBlocked || isFull || waitingBytes >= MAX_WAITING_BYTES) from.pause();
    else from.resume();
  }

  function stop(): void {
    isStopped = true;
    clearTimeout(timer);
    waiting.length = 0;
    to.off("drain", onDrain);
  }

  return {
    setDelay(ms) {
      delayMs = ms;
    },
    setBlocked(blocked) {
      if (blocked === isBlocked) return;
      isBlocked = blocked;
      flow();
    },
    stop,
  };
}
