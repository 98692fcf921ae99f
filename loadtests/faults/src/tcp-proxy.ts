import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createPipe, type Pipe } from "./pipe.ts";

/** Who a byte is meant for: the `server` that the proxy stands in front of, or its `client`. */
export type End = "client" | "server";

/** Looks at what the server says to one client and returns what of it passes. */
export type Filter = (chunk: Buffer) => Buffer;

/** A TCP proxy that can be told to fail as networks do. */
export interface TcpProxy {
  readonly port: number;
  /** Connections that are open now, and those since the start. */
  readonly openCount: number;
  readonly acceptedCount: number;
  /** Holds every byte back for `ms`, each way. Order is kept. */
  delay(ms: number): void;
  /** Resets every open connection at once. New ones are served. */
  reset(): void;
  /** Resets one open connection, whichever it is. @returns whether there was one. */
  resetAny(): boolean;
  /** Resets every open connection, and new ones as they come, until `heal`. */
  cut(): void;
  /**
   * Nothing passes towards `to`, and nothing is closed: what is sent waits, as it does for TCP's retransmissions, and
   * flows on after `heal`. New connections are accepted and lead nowhere until then.
   */
  blackhole(to?: End | "both"): void;
  /**
   * One end of every open connection is gone without a word to the other: `kept` keeps its connection open, and what it
   * sends is swallowed. New connections work. `heal` resets what was kept.
   */
  halfOpen(kept: End): void;
  /** Ends every fault. */
  heal(): void;
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
}

interface Link {
  readonly toServer: Pipe;
  readonly toClient: Pipe;
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * Listens on a free port of 127.0.0.1 and passes each connection on to `target`.
 *
 * @param options.filterToClient makes the filter of one connection; what it takes out is lost.
 */
export async function startTcpProxy(options: {
  target: { host: string; port: number };
  filterToClient?: () => Filter;
}): Promise<TcpProxy> {
  const links = new Set<Link>();
  /** Ends whose other end is gone without their knowledge. */
  const orphans = new Set<Socket>();
  /** Accepted while nothing could be reached. */
  const waiting = new Set<Socket>();
  let acceptedCount = 0;
  let isCut = false;
  let delayMs = 0;
  let blocked: End | "both" | undefined;

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    acceptedCount += 1;
    client.on("error", () => {});
    if (isCut) return void client.resetAndDestroy();
    if (blocked === undefined) return link(client);
    client.pause();
    waiting.add(client);
    client.once("close", () => waiting.delete(client));
  });

  function link(client: Socket): void {
    const upstream = connect({ ...options.target, allowHalfOpen: true, noDelay: true });
    upstream.on("error", () => {});
    const made: Link = {
      client,
      server: upstream,
      toServer: createPipe(client, upstream),
      toClient: createPipe(upstream, client, options.filterToClient?.()),
    };
    links.add(made);
    applyTo(made);
    client.resume();
    // An end that fails takes the other one with it. One that closes in order has said so, and the pipe passes that on.
    for (const [end, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      let failed = false;
      end.once("error", () => {
        failed = true;
      });
      end.once("close", () => {
        if (!links.has(made)) return;
        if (failed) other.resetAndDestroy();
        else if (!end.readableEnded) other.destroy();
        if (other.destroyed) links.delete(made);
      });
    }
  }

  function applyTo({ toServer, toClient }: Link): void {
    for (const [end, pipe] of [
      ["server", toServer],
      ["client", toClient],
    ] as const) {
      pipe.setDelay(delayMs);
      pipe.setBlocked(blocked === end || blocked === "both");
    }
  }

  function resetAll(): void {
    for (const { client, server: upstream } of links) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
    links.clear();
    for (const socket of [...orphans, ...waiting]) socket.resetAndDestroy();
  }

  function orphan(socket: Socket): void {
    orphans.add(socket);
    socket.once("close", () => orphans.delete(socket));
    socket.once("end", () => socket.destroy());
    // Its pipe is stopped: what it still sends goes nowhere.
    socket.resume();
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    port,
    get openCount() {
      return links.size + orphans.size + waiting.size;
    },
    get acceptedCount() {
      return acceptedCount;
    },
    delay(ms) {
      delayMs = ms;
      for (const each of links) applyTo(each);
    },
    reset: resetAll,
    resetAny() {
      const one = [...links][Math.floor(Math.random() * links.size)];
      if (!one) return false;
      links.delete(one);
      one.client.resetAndDestroy();
      one.server.resetAndDestroy();
      return true;
    },
    cut() {
      isCut = true;
      resetAll();
    },
    blackhole(to = "both") {
      blocked = to;
      for (const each of links) applyTo(each);
    },
    halfOpen(kept) {
      const open = [...links];
      links.clear();
      for (const each of open) {
        const gone = kept === "client" ? each.server : each.client;
        each.toServer.stop();
        each.toClient.stop();
        orphan(each[kept]);
        gone.resetAndDestroy();
      }
    },
    heal() {
      isCut = false;
      delayMs = 0;
      blocked = undefined;
      for (const each of links) applyTo(each);
      for (const socket of orphans) socket.resetAndDestroy();
      for (const client of waiting) {
        waiting.delete(client);
        link(client);
      }
    },
    async close() {
      resetAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
