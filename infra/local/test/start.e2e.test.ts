import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { connect } from "node:http2";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@localstreet/testkit/wait";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CHECKOUT } from "../src/checkout.ts";

let folder: string;
const started: ChildProcess[] = [];

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "localstreet-start-")));
});

afterEach(async () => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  await until(() => processesIn(folder).length === 0, { what: "no process", timeoutMs: 30_000 });
  await rm(folder, { recursive: true, force: true });
});

/** `npm start` with its data in a folder of its own. */
function start(...args: string[]): {
  child: ChildProcess;
  output(): string;
  exit: Promise<number | null>;
} {
  const child = spawn(process.execPath, [join(CHECKOUT, "infra/local/start.mjs"), ...args], {
    cwd: CHECKOUT,
    env: { ...process.env, LOCALSTREET_DIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      output += chunk;
    });
  }
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, output: () => output, exit };
}

/** Every server works in a folder of its own below the data. Linux only. */
function processesIn(dir: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${dir}/`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

const linuxOnly = { skip: process.platform !== "linux", timeout: 120_000 };
const isUp = (output: string) => /^Up after .*http:\/\/127\.0\.0\.1:\d+$/m.test(output);

async function untilUp(platform: ReturnType<typeof start>): Promise<string> {
  await until(() => isUp(platform.output()) || platform.child.exitCode !== null, {
    what: "the platform is up",
    timeoutMs: 90_000,
  });
  expect(platform.output()).toMatch(/^Up after/m);
  return /http:\/\/127\.0\.0\.1:\d+$/m.exec(platform.output())?.[0] as string;
}

test(
  "a start says each step with its time, answers, with TLS as well, and SIGTERM leaves no process",
  linuxOnly,
  async () => {
    const platform = start("--no-simulator", "--replicas", "1", "--tls");
    const url = await untilUp(platform);
    for (const step of ["stores", "build", "services", "gateway"]) {
      expect(platform.output()).toMatch(new RegExp(`^✓ .*${step}.* \\d+\\.\\d s$`, "m"));
    }
    expect((await fetch(`${url}/api/chat/conversations`)).status).toBe(401);
    const [, tlsUrl, certificateFile] =
      /^TLS: +(\S+) .*certificate: (.+)\)$/m.exec(platform.output()) ?? [];
    const session = connect(`${tlsUrl}`, { ca: readFileSync(`${certificateFile}`) });
    const [headers] = await once(
      session.request({ ":path": "/api/chat/conversations" }),
      "response",
    );
    expect(headers[":status"]).toBe(401);
    session.destroy();

    const second = start("--no-simulator");
    expect(await second.exit).toBe(1);
    expect(second.output()).toContain("runs already");

    expect(processesIn(folder).length).toBeGreaterThan(7);
    platform.child.kill("SIGTERM");
    expect(await platform.exit).toBe(0);
    expect(processesIn(folder)).toEqual([]);
  },
);

test(
  "a start that is killed leaves no process either, and the next one finds the data free",
  linuxOnly,
  async () => {
    const killed = start("--no-simulator", "--replicas", "1");
    await untilUp(killed);
    killed.child.kill("SIGKILL");
    await until(() => processesIn(folder).length === 0, { what: "all ended", timeoutMs: 30_000 });
    await untilUp(start("--no-simulator", "--replicas", "1"));
  },
);

test(
  "a port that is taken is an error that says so, and nothing stays behind",
  linuxOnly,
  async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const refused = start("--no-simulator", "--port", String(port));
    expect(await refused.exit).toBe(1);
    expect(refused.output()).toContain(`port ${port} is taken`);
    server.close();
    expect(processesIn(folder)).toEqual([]);
  },
);

test("a typo is an error that names it, before anything starts", async () => {
  const refused = start("--no-simulater");
  expect(await refused.exit).toBe(2);
  expect(refused.output()).toContain("--no-simulater");
});
