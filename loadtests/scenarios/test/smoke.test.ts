import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startLyingServer } from "@localstreet/oracle/lying-server";
import { afterAll, expect, test } from "vitest";
import { startLossyGateway } from "./lossy-gateway.ts";

const RUN = fileURLToPath(new URL("../src/run.ts", import.meta.url));
const dataDir = mkdtempSync(join(tmpdir(), "localstreet-loadtest-"));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

async function runLoadtest(...args: string[]): Promise<{ code: number | null; output: string }> {
  const run = spawn(process.execPath, ["--conditions=source", "--import", "tsx", RUN, ...args], {
    env: {
      ...process.env,
      AUTH_JWT_SECRET: "a secret of thirty-two characters",
      LOCALSTREET_DIR: dataDir,
    },
  });
  let output = "";
  for (const stream of [run.stdout, run.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const code = await new Promise<number | null>((resolve) => run.once("close", resolve));
  return { code, output };
}

test.concurrent("the smoke test notices an order, a message and a fix that got lost", {
  timeout: 60_000,
}, async () => {
  await using gateway = await startLossyGateway("order", "message", "fix");
  const { code, output } = await runLoadtest("smoke", "--target", gateway.url, "--size", "4");
  expect(output).toMatch(/^FAILED: order smoke-order-\S+ on the vendor's stream did not arrive/m);
  expect(output).toMatch(
    /^FAILED: message "Is it ready yet\?" in the chat of smoke-vendor-\S+ did/m,
  );
  expect(output).toMatch(/^FAILED: the fix of smoke-driver-\S+ to who watches smoke-delivery-\S+/m);
  expect(output).toMatch(/^FAILED: 1 of 4 visits went through/m);
  expect(code).toBe(1);
});

test.concurrent("a scenario fails by Artillery's own checks when the oracle finds a lie, and leaves its page", {
  timeout: 60_000,
}, async () => {
  const server = await startLyingServer("shows an older position after a newer one");
  const { code, output } = await runLoadtest(
    ...["city-day", "--target", server.url, "--size", "3", "--seconds", "16"],
  );
  await server.close();
  expect(output).toMatch(/^ {2}ok +orders /m);
  expect(output).toMatch(/^ {2}ok +chat /m);
  expect(output).toMatch(/^ {2}FAILED tracking +\d+ out of order/m);
  expect(output).toMatch(/^FAILED: not met: oracle\.faults == 0/m);
  expect(code).toBe(1);
  const [folder = ""] = readdirSync(join(dataDir, "loadtests"));
  const page = readFileSync(join(dataDir, "loadtests", folder, "run.html"), "utf8");
  expect(page).toMatch(/<h1>tracking: \d+ out of order<\/h1>/);
});

test("a target where nobody answers is a clear error", async () => {
  const run = await runLoadtest("smoke", "--target", "http://127.0.0.1:9");
  expect(run.output).toContain("FAILED: Nothing answers at http://127.0.0.1:9");
  expect(run.code).toBe(1);
});

test("a scenario with a typo is a clear error", async () => {
  expect(await runLoadtest("citi-day")).toMatchObject({
    code: 2,
    output: expect.stringContaining('no scenario "citi-day"; did you mean "city-day"?'),
  });
});
