import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createPasswords } from "../src/credentials.ts";
import { startNatsCluster } from "../src/nats-cluster.ts";
import { startNats } from "../src/nats-server.ts";
import { startPostgres } from "../src/postgres-server.ts";
import type { PrivateServer } from "../src/private-server.ts";
import { isAlive } from "../src/processes.ts";
import { startRedis } from "../src/redis-server.ts";

let folder: string;
let servers: PrivateServer[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "localstreet-stores-"));
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

/** Sends `text` to a server and returns what it says until it says `until`, or nothing more for a second. */
async function converse(port: number, text: string, until: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 1_000 });
    let answer = "";
    const finish = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("error", reject);
    socket.once("timeout", finish);
    socket.on("data", (chunk) => {
      answer += chunk;
      if (answer.includes(until)) finish();
    });
    socket.write(text);
  });
}

const kinds = {
  nats: () => startNats({ dir: join(folder, "nats"), passwords: createPasswords() }),
  redis: () => startRedis({ dir: join(folder, "redis"), passwords: createPasswords() }),
  postgres: () =>
    startPostgres({ dir: join(folder, "pg"), passwords: createPasswords(), durable: false }),
};

for (const [name, start] of Object.entries(kinds)) {
  test(`${name} keeps its port when it is killed and started again`, async () => {
    const server = await start();
    servers.push(server);
    const { port, pid } = server;
    await server.kill();
    expect(isAlive(pid)).toBe(false);
    await expect(converse(port, "", "anything")).rejects.toThrow("ECONNREFUSED");
    await server.start();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });

  test(`a start in the folder of a ${name} that nobody owns any more ends that one first`, async () => {
    const orphan = await start();
    servers.push(orphan);
    const successor = await start();
    servers.push(successor);
    expect(isAlive(orphan.pid)).toBe(false);
    expect(isAlive(successor.pid)).toBe(true);
  });
}

test("a frozen server answers nothing until it thaws", async () => {
  const server = await kinds.redis();
  servers.push(server);
  server.freeze();
  expect(await converse(server.port, "PING\r\n", "NOAUTH")).toBe("");
  server.thaw();
  expect(await converse(server.port, "PING\r\n", "NOAUTH")).toContain("NOAUTH");
});

test("servers do not outlive a process that is killed", {
  skip: process.platform !== "linux",
}, async () => {
  const dir = join(folder, "orphan");
  const source = new URL("../src/redis-server.ts", import.meta.url).href;
  const credentials = new URL("../src/credentials.ts", import.meta.url).href;
  const script = `
    const { startRedis } = await import(${JSON.stringify(source)});
    const { createPasswords } = await import(${JSON.stringify(credentials)});
    const server = await startRedis({ dir: ${JSON.stringify(dir)}, passwords: createPasswords() });
    console.log(server.pid);
    setInterval(() => {}, 1000);
  `;
  const parent = spawn(
    process.execPath,
    ["--conditions=source", "--import", "tsx", "--input-type=module", "-e", script],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const pid = await new Promise<number>((resolve) => {
    parent.stdout.once("data", (chunk) => resolve(Number(String(chunk))));
  });
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
});

test("three NATS servers are one cluster, whose clients know all of them", async () => {
  const passwords = createPasswords();
  const nodes = await startNatsCluster({ dir: join(folder, "nats"), nodes: 3, passwords });
  servers.push(...nodes);
  for (const node of nodes) {
    const answer = await fetch(`${node.monitorUrl()}/jsz`);
    const { meta_cluster: cluster } = (await answer.json()) as {
      meta_cluster: { leader: string; cluster_size: number };
    };
    expect(cluster.cluster_size).toBe(3);
    expect(nodes.map(({ name }) => name)).toContain(cluster.leader);
    const urls = nodes.map(({ port }) => `nats://127.0.0.1:${port}`);
    expect(node.as("admin").servers).toEqual(urls);
  }
});

test("O4: NATS refuses an ingest that publishes an order or reads chats", async () => {
  const passwords = createPasswords();
  const nats = await startNats({ dir: join(folder, "nats"), passwords });
  servers.push(nats);
  const login = (user: string, pass: string) =>
    `CONNECT ${JSON.stringify({ user, pass, verbose: false, pedantic: false })}\r\n`;
  const asIngest = login("tracking-ingest", passwords["tracking-ingest"]);

  const publish = `${asIngest}PUB vendor.v1.orders 2\r\n{}\r\nPING\r\n`;
  expect(await converse(nats.port, publish, "PONG")).toMatch(
    /Permissions Violation for Publish to "vendor.v1.orders"/i,
  );
  const read = `${asIngest}SUB live.chat.buyer.b1 1\r\nPING\r\n`;
  expect(await converse(nats.port, read, "PONG")).toMatch(
    /Permissions Violation for Subscription to "live.chat.buyer.b1"/i,
  );
  const own = `${asIngest}PUB live.tracking.d1 2\r\n{}\r\nPING\r\n`;
  expect(await converse(nats.port, own, "PONG")).not.toContain("-ERR");
  const wrong = `${login("tracking-ingest", passwords["chat-ws"])}PING\r\n`;
  expect(await converse(nats.port, wrong, "-ERR")).toContain("Authorization Violation");
});

test("O4: Redis refuses strangers, and a fan-out that writes a position", async () => {
  const passwords = createPasswords();
  const redis = await startRedis({ dir: join(folder, "redis"), passwords });
  servers.push(redis);
  expect(await converse(redis.port, "PING\r\n", "NOAUTH")).toContain("NOAUTH");

  const login = `AUTH tracking-fanout ${passwords["tracking-fanout"]}\r\n`;
  const write = `${login}HSET track:{d1}:position lat 1\r\n`;
  expect(await converse(redis.port, write, "NOPERM")).toContain("NOPERM");
  const flag = `${login}SET track:{d1}:watched 1 EX 15\r\n`;
  expect(await converse(redis.port, flag, "+OK\r\n+OK")).toContain("+OK\r\n+OK");
  expect(await converse(redis.port, `${login}FLUSHALL\r\n`, "NOPERM")).toContain("NOPERM");
  const absent = `AUTH publisher ${passwords.publisher}\r\n`;
  expect(await converse(redis.port, absent, "WRONGPASS")).toContain("WRONGPASS");
});

test("passwords lie in files that only their owner reads", async () => {
  const passwords = createPasswords();
  servers.push(await startNats({ dir: join(folder, "nats"), passwords }));
  const { stdout } = await promisify(execFile)("find", [folder, "-type", "f", "-perm", "/077"]);
  for (const file of stdout.split("\n").filter((line) => line !== "")) {
    const text = await readFile(file, "latin1");
    expect(text.includes(passwords.admin), file).toBe(false);
  }
});
