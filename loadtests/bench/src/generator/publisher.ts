import { connect, type Socket } from "node:net";
import type { PublisherSpec, Template } from "./specs.ts";
import { compileTemplate } from "./template.ts";
import { encodeServerFrame } from "./ws-frames.ts";

const HOST = "127.0.0.1";
const CONNECT_TIMEOUT_MS = 5_000;

/** Publishes messages the way that a server is fed, over a bare socket. */
export interface Publisher {
  /** Messages of one call leave in one write. */
  publish(messages: readonly { readonly topic: number; readonly number: number }[]): void;
  /** Publishes that the bus has not acknowledged, where it acknowledges. */
  unacknowledged(): number;
  close(): void;
}

export async function openPublisher(
  spec: PublisherSpec,
  body: Template,
  run: string,
): Promise<Publisher> {
  const bodyOf = compileTemplate(body, run);
  switch (spec.via) {
    case "control":
      return await openControl(spec, bodyOf);
    case "redis":
      return await openRedis(spec, bodyOf, run);
    case "nats":
      return await openNats(spec, bodyOf, run);
    case "http":
      return await openHttp(spec, bodyOf, run);
  }
}

type BodyOf = (topic: number, number: number) => string;
type Spec<Via> = Extract<PublisherSpec, { via: Via }>;

/** Where a server has several replicas, the first one is told: passing it on is its own business. */
async function openControl(spec: Spec<"control">, bodyOf: BodyOf): Promise<Publisher> {
  const socket = await open(spec.ports[0] as number);
  const encode = { sse: sseFrame, ws: encodeServerFrame, none: Buffer.from };
  const encodeBody = encode[spec.frame ?? "none"] as (text: string) => Buffer;
  return publisherOf(socket, ({ topic, number }) => {
    const bytes = encodeBody(bodyOf(topic, number));
    return [Buffer.from(`${topic} ${bytes.length}\n`), bytes];
  });
}

function sseFrame(body: string): Buffer {
  return Buffer.from(`id: 0123456789ab-1-abcdef\nevent: new-order\ndata: ${body}\n\n`);
}

async function openRedis(spec: Spec<"redis">, bodyOf: BodyOf, run: string): Promise<Publisher> {
  const channelOf = compileTemplate(spec.channel, run);
  const socket = await open(spec.port);
  await ask(socket, respCommand("AUTH", spec.user, spec.password), "+OK");
  return publisherOf(socket, ({ topic, number }) => [
    respCommand("PUBLISH", channelOf(topic), bodyOf(topic, number)),
  ]);
}

function respCommand(...words: string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join("")}`);
}

async function openNats(spec: Spec<"nats">, bodyOf: BodyOf, run: string): Promise<Publisher> {
  const { user, password } = spec;
  const subjectOf = compileTemplate(spec.subject, run);
  const messageIdOf = spec.messageId ? compileTemplate(spec.messageId, run) : undefined;
  const inbox = `_INBOX.bench.${run}`;
  const socket = await open(spec.port);
  const options = { user, pass: password, verbose: false, pedantic: false, headers: true };
  const hello = `CONNECT ${JSON.stringify({ ...options, no_responders: true })}\r\nPING\r\n`;
  await ask(socket, Buffer.from(hello), "PONG");
  socket.write(`SUB ${inbox} 1\r\n`);
  let sent = 0;
  let acknowledged = 0;
  socket.on("data", (chunk) => {
    const text = chunk.toString("latin1");
    for (const _ of text.matchAll(/"seq":/g)) acknowledged++;
    if (text.includes("PING\r\n")) socket.write("PONG\r\n");
  });
  const publisher = publisherOf(socket, ({ topic, number }) => {
    const payload = Buffer.from(bodyOf(topic, number));
    if (!messageIdOf) {
      return [Buffer.from(`PUB ${subjectOf(topic)} ${payload.length}\r\n`), payload, CRLF];
    }
    sent++;
    const headers = `NATS/1.0\r\nNats-Msg-Id: ${messageIdOf(topic, number)}\r\n\r\n`;
    const sizes = `${headers.length} ${headers.length + payload.length}`;
    return [Buffer.from(`HPUB ${subjectOf(topic)} ${inbox} ${sizes}\r\n${headers}`), payload, CRLF];
  });
  return { ...publisher, unacknowledged: () => sent - acknowledged };
}

const CRLF = Buffer.from("\r\n");

async function openHttp(spec: Spec<"http">, bodyOf: BodyOf, run: string): Promise<Publisher> {
  const pathOf = compileTemplate(spec.path, run);
  const socket = await open(spec.port);
  socket.resume();
  return publisherOf(socket, ({ topic, number }) => {
    const payload = Buffer.from(bodyOf(topic, number));
    const head = `POST ${pathOf(topic)} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${payload.length}\r\n\r\n`;
    return [Buffer.from(head), payload];
  });
}

function publisherOf(
  socket: Socket,
  encode: (message: { topic: number; number: number }) => Buffer[],
): Publisher {
  return {
    publish(messages) {
      socket.write(Buffer.concat(messages.flatMap(encode)));
    },
    unacknowledged: () => 0,
    close: () => socket.destroy(),
  };
}

async function open(port: number): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: HOST, port, noDelay: true, timeout: CONNECT_TIMEOUT_MS });
    socket.once("timeout", () => socket.destroy(new Error(`port ${port} does not answer`)));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.off("error", reject);
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

async function ask(socket: Socket, bytes: Buffer, expected: string): Promise<void> {
  let text = "";
  await new Promise<void>((resolve, reject) => {
    const fail = () => reject(new Error(`a publisher was refused: ${text}`));
    const timer = setTimeout(fail, CONNECT_TIMEOUT_MS);
    const onData = (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (!text.includes(expected)) {
        if (/^-/m.test(text)) fail();
        return;
      }
      clearTimeout(timer);
      socket.off("data", onData);
      socket.off("close", fail);
      resolve();
    };
    socket.on("data", onData);
    socket.once("close", fail);
    socket.write(bytes);
  });
}
