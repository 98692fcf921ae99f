import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { openEventStream } from "../src/sse-client.ts";

async function serve(chunks: string[]): Promise<{ url: string; close(): void }> {
  const server = createServer(async (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const chunk of chunks) {
      response.write(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

test("the stream client reads events, ids, comments and retries across any chunks", async () => {
  const text =
    "retry: 1500\n\n: hello\nid: 1\nevent: a\ndata: x\ndata: y\n\ndata:z\r\n\r\nid\ndata\n\n";
  const server = await serve([...text]);
  const stream = await openEventStream(server.url);
  await stream.ended;
  server.close();
  expect(stream.events).toEqual([
    { event: "a", id: "1", data: "x\ny" },
    { event: "message", id: "1", data: "z" },
    { event: "message", id: "", data: "" },
  ]);
  expect(stream.comments).toEqual(["hello"]);
  expect(stream.retries).toEqual([1500]);
  expect(stream.text).toBe(text);
});

test("waiting for an event that never comes fails with what was seen", async () => {
  const server = await serve(["event: a\ndata: 1\n\n"]);
  const stream = await openEventStream(server.url);
  await expect(stream.next((event) => event.event === "b")).rejects.toThrow(/has ended.*"a"/);
  server.close();
});
