import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { encodeTextFrame, openWsConnection, type WsConnection } from "../src/ws-connection.ts";

const LIMIT = 256 * 1024;

let server: Server;
let sockets: WebSocketServer;
/** What the server does with each connection. */
let onConnection: (connection: WsConnection, ws: WebSocket) => void;
let overflows = 0;

beforeEach(async () => {
  overflows = 0;
  server = createServer();
  sockets = new WebSocketServer({ server });
  sockets.on("connection", (ws, request) => {
    const connection = openWsConnection(ws, request.socket, {
      outboxBytes: LIMIT,
      onOverflow: () => {
        overflows += 1;
        connection.close(4413, "too slow");
      },
    });
    onConnection(connection, ws);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  for (const ws of sockets.clients) ws.terminate();
  server.close();
});

const port = () => (server.address() as AddressInfo).port;

/** A client that collects text frames until it is closed. */
function openClient() {
  const ws = new WebSocket(`ws://127.0.0.1:${port()}`);
  const texts: string[] = [];
  ws.on("message", (data, isBinary) => texts.push(isBinary ? "binary" : String(data)));
  const closed = once(ws, "close").then(([code, reason]) => ({ code, reason: String(reason) }));
  return { ws, texts, closed };
}

test("E3 E4: frames of every length arrive whole and in order, before the close", async () => {
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000];
  onConnection = (connection, ws) => {
    ws.ping();
    for (const length of lengths) connection.send(encodeTextFrame("ö".repeat(length / 2)));
    connection.close(4401, "bye");
    connection.send(encodeTextFrame("late"));
  };
  const { texts, closed } = openClient();
  expect(await closed).toEqual({ code: 4401, reason: "bye" });
  expect(texts).toEqual(lengths.map((length) => "ö".repeat(length / 2)));
});

test("nothing follows the answer to a client's close frame, not even what waits for a slow client", async () => {
  let opened: WsConnection | undefined;
  let serverSide: WebSocket | undefined;
  onConnection = (connection, ws) => {
    opened = connection;
    serverSide = ws;
    const more = () => {
      connection.send(encodeTextFrame("x".repeat(10_000)));
      if (connection.pendingBytes < LIMIT / 2) setImmediate(more);
    };
    more();
  };
  const client = connect(port(), "127.0.0.1");
  client.write(
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  client.pause();
  await expect.poll(() => opened?.pendingBytes, { timeout: 10_000 }).toBeGreaterThan(LIMIT / 2);
  const maskedClose = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
  client.write(maskedClose);
  await expect.poll(() => serverSide?.readyState).toBe(WebSocket.CLOSING);
  opened?.send(encodeTextFrame("late"));

  const close = Buffer.from([0x88, 0x02, 0x03, 0xe8]);
  let tail = Buffer.alloc(0);
  client.on("data", (data) => {
    tail = Buffer.concat([tail, data]).subarray(-close.length);
  });
  client.resume();
  await once(client, "close");
  expect(tail).toEqual(close);
});

test("E4 S9: a client that does not read is cut off once its outbox is full, with nothing missing before", async () => {
  const payload = "x".repeat(10_000);
  let sent = 0;
  onConnection = (connection) => {
    const more = () => {
      if (overflows > 0) return;
      connection.send(encodeTextFrame(`${sent++} ${payload}`));
      setImmediate(more);
    };
    more();
  };
  const { ws, texts, closed } = openClient();
  await once(ws, "open");
  ws.pause();
  await expect.poll(() => overflows, { timeout: 10_000 }).toBe(1);
  ws.resume();
  expect((await closed).code).toBe(4413);
  expect(texts.map((text) => Number(text.split(" ")[0]))).toEqual(texts.map((_, index) => index));
  expect(texts.length).toBeLessThan(sent);
  expect(overflows).toBe(1);
});

test("T8: a client that does not read gets the newest frame of a slot when it reads again, and none older after it", async () => {
  const payload = "x".repeat(10_000);
  let position = 0;
  let last = Number.POSITIVE_INFINITY;
  let opened: WsConnection | undefined;
  onConnection = (connection) => {
    opened = connection;
    const more = () => {
      connection.sendLatest("driver", encodeTextFrame(`${position++} ${payload}`));
      // Ten times what the kernel and the outbox can hold: without conflation it would have been cut off.
      if (position < 5_000) setImmediate(more);
      else last = position - 1;
    };
    more();
  };
  const { ws, texts } = openClient();
  await once(ws, "open");
  ws.pause();
  await expect.poll(() => last, { timeout: 15_000 }).toBe(4_999);
  expect(overflows).toBe(0);
  expect(opened?.pendingBytes).toBeLessThan(LIMIT);
  ws.resume();
  const positions = () => texts.map((text) => Number(text.split(" ")[0]));
  await expect.poll(() => positions().at(-1), { timeout: 10_000 }).toBe(last);
  expect(positions()).toEqual([...positions()].sort((a, b) => a - b));
  expect(texts.length).toBeLessThan(last);
  ws.terminate();
});

test("closed resolves however the connection ends", async () => {
  const connections: WsConnection[] = [];
  onConnection = (connection) => connections.push(connection);
  const { ws } = openClient();
  await once(ws, "open");
  await expect.poll(() => connections.length).toBe(1);
  ws.terminate();
  await connections[0]?.closed;
  expect(connections[0]?.pendingBytes).toBe(0);
});
