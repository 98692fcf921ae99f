import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { until } from "@localstreet/testkit/wait";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Filter, startTcpProxy, type TcpProxy } from "../src/tcp-proxy.ts";

interface Peer {
  readonly socket: Socket;
  heard: string;
  state: "open" | "ended" | "reset";
}

function peerOf(socket: Socket): Peer {
  const peer: Peer = { socket, heard: "", state: "open" };
  socket.on("data", (chunk) => {
    peer.heard += chunk.toString("latin1");
  });
  socket.on("end", () => {
    peer.state = "ended";
  });
  socket.on("error", () => {
    peer.state = "reset";
  });
  return peer;
}

let server: Server;
let atServer: Peer[];
let clients: Socket[];
let proxies: TcpProxy[];

beforeEach(async () => {
  atServer = [];
  clients = [];
  proxies = [];
  server = createServer({ allowHalfOpen: true }, (socket) => atServer.push(peerOf(socket)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  for (const socket of [...clients, ...atServer.map((peer) => peer.socket)]) socket.destroy();
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await new Promise((resolve) => server.close(resolve));
});

async function startProxy(filterToClient?: () => Filter): Promise<TcpProxy> {
  const { port } = server.address() as AddressInfo;
  const filter = filterToClient ? { filterToClient } : {};
  const proxy = await startTcpProxy({ target: { host: "127.0.0.1", port }, ...filter });
  proxies.push(proxy);
  return proxy;
}

async function openClient(proxy: TcpProxy): Promise<Peer> {
  const socket = connect({ host: "127.0.0.1", port: proxy.port, allowHalfOpen: true });
  clients.push(socket);
  const peer = peerOf(socket);
  await new Promise<void>((resolve) => {
    socket.once("connect", () => resolve());
    socket.once("error", () => resolve());
  });
  return peer;
}

/** Both ends of one connection, after a word each way. */
async function openPair(proxy: TcpProxy): Promise<[Peer, Peer]> {
  const client = await openClient(proxy);
  client.socket.write("hello");
  await until(() => atServer.at(-1)?.heard === "hello", { what: "hello at the server" });
  const peer = atServer.at(-1) as Peer;
  peer.socket.write("welcome");
  await until(() => client.heard === "welcome", { what: "welcome at the client" });
  client.heard = "";
  peer.heard = "";
  return [client, peer];
}

const settle = (ms = 100) => new Promise((resolve) => setTimeout(resolve, ms));

test("passes megabytes each way, and the end of each direction on its own", async () => {
  const [client, peer] = await openPair(await startProxy());
  const much = "x".repeat(5_000_000);
  client.socket.end(much);
  await until(() => peer.state === "ended", { what: "the client's end at the server" });
  expect(peer.heard.length).toBe(much.length);
  peer.socket.end(`${much}!`);
  await until(() => client.state === "ended", { what: "the server's end at the client" });
  expect(client.heard.length).toBe(much.length + 1);
});

test("delay holds bytes back and keeps their order, the end last", async () => {
  const proxy = await startProxy();
  const [client, peer] = await openPair(proxy);
  proxy.delay(150);
  const sentAtMs = performance.now();
  client.socket.write("one ");
  client.socket.write("two ");
  await settle(20);
  proxy.delay(0);
  client.socket.end("three");
  await until(() => peer.state === "ended", { what: "the end" });
  expect(peer.heard).toBe("one two three");
  expect(performance.now() - sentAtMs).toBeGreaterThanOrEqual(145);
});

test("reset ends every connection at once and serves new ones", async () => {
  const proxy = await startProxy();
  const [client, peer] = await openPair(proxy);
  const [other] = await openPair(proxy);
  proxy.reset();
  await until(() => [client, peer, other].every(({ state }) => state === "reset"), {
    what: "three resets",
  });
  await openPair(proxy);
  expect(proxy.acceptedCount).toBe(3);
  expect(proxy.openCount).toBe(1);
});

test("one connection is reset, and the others are not", async () => {
  const proxy = await startProxy();
  expect(proxy.resetAny()).toBe(false);
  const pairs = [await openPair(proxy), await openPair(proxy)];
  expect(proxy.resetAny()).toBe(true);
  const isReset = (pair: Peer[]) => pair.every(({ state }) => state === "reset");
  await until(() => pairs.some(isReset), { what: "a reset of both ends" });
  expect(pairs.filter(isReset)).toHaveLength(1);
  expect(proxy.openCount).toBe(1);
});

test("cut resets new connections as well, until it is healed", async () => {
  const proxy = await startProxy();
  const [client] = await openPair(proxy);
  proxy.cut();
  const refused = await openClient(proxy);
  await until(() => refused.state === "reset" && client.state === "reset", { what: "resets" });
  expect(atServer).toHaveLength(1);
  proxy.heal();
  await openPair(proxy);
});

test("blackhole: nothing passes, nothing is closed, and after it nothing is lost", async () => {
  const proxy = await startProxy();
  const [client, peer] = await openPair(proxy);
  proxy.blackhole();
  client.socket.write("up");
  peer.socket.end("down");
  const late = await openClient(proxy);
  late.socket.write("late");
  await settle();
  expect([client.heard, client.state, peer.heard, peer.state]).toEqual(["", "open", "", "open"]);
  expect(atServer).toHaveLength(1);
  proxy.heal();
  await until(() => client.state === "ended", { what: "the end that waited" });
  await until(() => peer.heard === "up", { what: "what the client sent" });
  await until(() => atServer.at(1)?.heard === "late", { what: "the connection that waited" });
  expect(client.heard).toBe("down");
});

test("blackhole one way: the other way goes on", async () => {
  const proxy = await startProxy();
  const [client, peer] = await openPair(proxy);
  proxy.blackhole("client");
  client.socket.write("up");
  peer.socket.write("down");
  await until(() => peer.heard === "up", { what: "the way that is open" });
  await settle();
  expect(client.heard).toBe("");
  proxy.heal();
  await until(() => client.heard === "down", { what: "what waited" });
});

test("half-open: one end is gone, the other does not know until it is healed", async () => {
  const proxy = await startProxy();
  for (const kept of ["client", "server"] as const) {
    const [client, peer] = await openPair(proxy);
    const [stays, goes] = kept === "client" ? [client, peer] : [peer, client];
    proxy.halfOpen(kept);
    await until(() => goes.state === "reset", { what: "the end that is gone" });
    stays.socket.write("anybody?");
    await settle();
    expect(stays.state).toBe("open");
    expect(proxy.openCount).toBe(1);
    await openPair(proxy);
    proxy.heal();
    await until(() => stays.state === "reset", { what: "the end that was kept" });
    proxy.reset();
  }
});

test("a filter takes out what the server says to a client, connection by connection", async () => {
  const proxy = await startProxy(() => {
    let first = true;
    return (chunk) => {
      const passes = first ? chunk : Buffer.alloc(0);
      first = false;
      return passes;
    };
  });
  const [client, peer] = await openPair(proxy);
  peer.socket.write("taken out");
  client.socket.write("passes");
  await until(() => peer.heard === "passes", { what: "the other direction" });
  await openPair(proxy);
  expect(client.heard).toBe("");
});

test("a server that is not there resets the client, and close ends everything", async () => {
  const proxy = await startProxy();
  const [client] = await openPair(proxy);
  for (const peer of atServer) peer.socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  const lost = await openClient(proxy);
  await until(() => lost.state === "reset", { what: "no server" });
  await proxy.close();
  expect(client.socket.destroyed || client.state !== "open").toBe(true);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
