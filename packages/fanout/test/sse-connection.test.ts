import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSseConnection, type SseConnection } from "../src/sse-connection.ts";

const LIMIT = 256 * 1024;

let server: Server;
let onStream: (connection: SseConnection) => void;
let overflows = 0;

beforeEach(async () => {
  overflows = 0;
  server = createServer((_request, response) => {
    onStream(
      openSseConnection(response, {
        outboxBytes: LIMIT,
        firstBytes: "retry: 1000\n\n",
        onOverflow: () => {
          overflows += 1;
        },
      }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const frame = (text: string) => Buffer.from(`data: ${text}\n\n`);

test("S4: the head and the first bytes go out at once, and the body is not chunked", async () => {
  onStream = () => {};
  const client = connect(Number(new URL(url()).port), "127.0.0.1");
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  let text = "";
  client.on("data", (data) => {
    text += data;
  });
  await expect.poll(() => text).toContain("\r\n\r\nretry: 1000\n\n");
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(text).toMatch(/content-type: text\/event-stream\r\n/);
  expect(text).toMatch(/cache-control: no-cache, no-transform\r\n/);
  expect(text).toMatch(/x-accel-buffering: no\r\n/);
  expect(text.toLowerCase()).not.toContain("transfer-encoding");
  client.destroy();
});

test("S6: history comes before what was sent meanwhile, and the end after all of it", async () => {
  onStream = async (connection) => {
    connection.send(frame("live 1"));
    await connection.writeHistory(frame("old 1"));
    connection.send(frame("live 2"));
    await connection.writeHistory(frame("old 2"));
    connection.release();
    connection.send(frame("live 3"));
    connection.end(frame("bye"));
    connection.send(frame("late"));
  };
  const text = await (await fetch(url())).text();
  expect(text.match(/data: .*/g)).toEqual(
    ["old 1", "old 2", "live 1", "live 2", "live 3", "bye"].map((data) => `data: ${data}`),
  );
});

test("S10: a stream that ends in the middle of its history ends with what was sent and its last frame", async () => {
  onStream = async (connection) => {
    connection.send(frame("live"));
    await connection.writeHistory(frame("old"));
    connection.end(frame("goaway"));
    await connection.closed;
  };
  const text = await (await fetch(url())).text();
  expect(text.match(/data: .*/g)).toEqual(["data: old", "data: goaway"]);
});

test("S9: a client that does not read is cut off, and has everything up to there", async () => {
  let opened: SseConnection | undefined;
  let sent = 0;
  onStream = (connection) => {
    opened = connection;
    connection.release();
    const more = () => {
      if (overflows > 0) return;
      connection.send(frame(`${sent++} ${"x".repeat(10_000)}`));
      setImmediate(more);
    };
    more();
  };
  const response = await fetch(url());
  await expect.poll(() => overflows, { timeout: 10_000 }).toBe(1);
  await opened?.closed;
  expect(opened?.pendingBytes).toBe(0);
  const whole = (await response.text()).split("\n\n").slice(1, -1);
  expect(whole.map((data) => Number(data.split(" ")[1]))).toEqual(whole.map((_, index) => index));
  expect(whole.length).toBeLessThan(sent);
});

test("history waits for a client that does not read, and ends with its connection", async () => {
  const block = Buffer.alloc(64 * 1024, ": x\n");
  let written = 0;
  let isOver = false;
  onStream = async (connection) => {
    while (await connection.writeHistory(block)) written += block.length;
    isOver = true;
  };
  const client = connect(Number(new URL(url()).port), "127.0.0.1");
  client.pause();
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  // Once the kernel's buffers are full nothing more is written.
  let before = -1;
  await expect
    .poll(
      () => {
        const same = written > 0 && written === before;
        before = written;
        return same;
      },
      { timeout: 10_000, interval: 200 },
    )
    .toBe(true);
  expect(isOver).toBe(false);
  client.destroy();
  await expect.poll(() => isOver).toBe(true);
});
