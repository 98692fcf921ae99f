import { createSignalFilter } from "./nats-signal-filter.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

export type StoreName = "nats" | "redis" | "postgres";

/** A proxy on each way that a platform's parts take to each other and its clients to it. */
export interface Network {
  /** For `startPlatform`: a way of its own for each replica and store. */
  routeStore(storeUrl: string, replicaName: string): Promise<string>;
  /** Puts a proxy in front of the gateway. @returns the address for clients. */
  routeClients(gatewayUrl: string): Promise<string>;
  /** Between clients and the gateway. */
  readonly clients: TcpProxy;
  /** The ways of replicas whose name begins so (`chat-ws`, `chat-ws-1`, or all) to one store. */
  between(replicas: string, store: StoreName): readonly TcpProxy[];
  /** Live signals on the way to replicas are lost where `isLost` says so, from now on. */
  loseSignals(isLost: (subject: string) => boolean): void;
  /** Ends every fault on every way. */
  heal(): void;
  close(): Promise<void>;
}

const NO_SIGNAL = () => false;

export function createNetwork(): Network {
  const ways: { replica: string; store: StoreName; proxy: TcpProxy }[] = [];
  let clients: TcpProxy | undefined;
  let isLost: (subject: string) => boolean = NO_SIGNAL;

  const all = () => [...ways.map(({ proxy }) => proxy), ...(clients ? [clients] : [])];
  return {
    async routeStore(storeUrl, replica) {
      const url = new URL(storeUrl);
      const store = url.protocol.replace(":", "").replace("postgresql", "postgres") as StoreName;
      const proxy = await startTcpProxy({
        target: { host: url.hostname, port: Number(url.port) },
        ...(store === "nats"
          ? { filterToClient: () => createSignalFilter((subject) => isLost(subject)) }
          : {}),
      });
      ways.push({ replica, store, proxy });
      return withAddress(storeUrl, proxy.port);
    },
    async routeClients(gatewayUrl) {
      const { hostname, port } = new URL(gatewayUrl);
      clients = await startTcpProxy({ target: { host: hostname, port: Number(port) } });
      return withAddress(gatewayUrl, clients.port);
    },
    get clients() {
      if (!clients) throw new Error("no gateway yet");
      return clients;
    },
    between: (replicas, store) =>
      ways
        .filter((way) => way.store === store && way.replica.startsWith(replicas))
        .map(({ proxy }) => proxy),
    loseSignals(decide) {
      isLost = decide;
    },
    heal() {
      isLost = NO_SIGNAL;
      for (const proxy of all()) proxy.heal();
    },
    async close() {
      await Promise.all(all().map((proxy) => proxy.close()));
    },
  };
}

/** The same URL, but with 127.0.0.1 and `port`. `URL` does not set a port on schemes that it does not know. */
function withAddress(url: string, port: number): string {
  return url.replace(/^(\w+:\/\/(?:[^@/]*@)?)[^/]*/, `$1127.0.0.1:${port}`);
}
