import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findTarget } from "./target.ts";

const server = createServer((_request, response) => response.writeHead(404).end());
let dataDir: string;
let url: string;

beforeEach(async () => {
  dataDir = `${await mkdtemp(join(tmpdir(), "localstreet-target-"))}/`;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dataDir, { recursive: true });
});

test("the platform that runs in the checkout is found with its secret", async () => {
  await mkdir(`${dataDir}platform`);
  await writeFile(`${dataDir}address`, `${url}\n`);
  await writeFile(`${dataDir}platform/auth-secret`, "kept\n");
  expect(await findTarget(undefined, {}, dataDir)).toEqual({ url, secret: "kept" });
  expect(await findTarget(undefined, { AUTH_JWT_SECRET: "given" }, dataDir)).toEqual({
    url,
    secret: "given",
  });
});

test("what is missing is said", async () => {
  await expect(findTarget(undefined, {}, dataDir)).rejects.toThrow("npm start");
  await expect(findTarget(url, {}, dataDir)).rejects.toThrow("AUTH_JWT_SECRET");
  await expect(findTarget("localhost", {}, dataDir)).rejects.toThrow("--target");
});
