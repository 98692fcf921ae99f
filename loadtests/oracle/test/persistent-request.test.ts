import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { requestPersistently } from "../src/persistent-request.ts";
import { openTarget } from "../src/target.ts";

const ORDER = { method: "POST", path: "/any", as: { role: "service", sub: "backend" } } as const;

let close = () => {};
afterEach(() => close());

/** A server that gives one answer after the other, and the last for ever. */
async function startServer(...answers: ((response: ServerResponse) => void)[]) {
  let requests = 0;
  const server = createServer((_request, response) => {
    (answers[requests++] ?? answers.at(-1))?.(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  close = () => {
    server.close();
    server.closeAllConnections();
  };
  const { port } = server.address() as AddressInfo;
  const target = openTarget({ url: `http://127.0.0.1:${port}`, secret: "of no matter here" });
  return { target, requests: () => requests };
}

const problem = (status: number, code: string) => (response: ServerResponse) => {
  response.writeHead(status, { "content-type": "application/problem+json" });
  response.end(JSON.stringify({ code, status }));
};
const accept = (response: ServerResponse) => response.writeHead(202).end('{"id":"e1"}');
const hangUp = (response: ServerResponse) => response.destroy();

test("what was refused for the moment or not answered is sent again", async () => {
  const { target, requests } = await startServer(problem(503, "unavailable"), hangUp, accept);
  const outcome = await requestPersistently(target, ORDER, { giveUpMs: 10_000 });
  expect(outcome).toMatchObject({ kind: "done", answer: { status: 202, body: { id: "e1" } } });
  expect(requests()).toBe(3);
});

test("what was refused for good is not sent again", async () => {
  const { target, requests } = await startServer(problem(409, "conflict"));
  const outcome = await requestPersistently(target, ORDER, { giveUpMs: 10_000 });
  expect(outcome).toMatchObject({
    kind: "refused",
    code: "conflict",
    mayExist: false,
    attempts: 1,
  });
  expect(requests()).toBe(1);
});

test("what is given up after no answer may exist, what was only held off does not", async () => {
  const lost = await startServer(hangUp, problem(429, "rate-limited"));
  expect(await requestPersistently(lost.target, ORDER, { giveUpMs: 500 })).toMatchObject({
    kind: "refused",
    mayExist: true,
  });
  close();
  const limited = await startServer(problem(429, "rate-limited"));
  expect(await requestPersistently(limited.target, ORDER, { giveUpMs: 300 })).toMatchObject({
    kind: "refused",
    code: "rate-limited",
    mayExist: false,
  });
});
