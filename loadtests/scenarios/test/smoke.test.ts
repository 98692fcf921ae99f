import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Loss, startLossyGateway } from "./lossy-gateway.ts";

const RUN = fileURLToPath(new URL("../src/run.ts", import.meta.url));

async function runLoadtest(...args: string[]): Promise<{ code: number | null; output: string }> {
  const run = spawn(process.execPath, ["--conditions=source", "--import", "tsx", RUN, ...args], {
    env: { ...process.env, AUTH_JWT_SECRET: "a secret of thirty-two characters" },
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

test.concurrent.for<[Loss, number, RegExp]>([
  ["nothing", 0, /^passed$/m],
  ["order", 1, /^FAILED: order smoke-order-\S+ on the vendor's stream did not arrive/m],
  ["message", 1, /^FAILED: message "Is it ready yet\?" in the chat of smoke-vendor-\S+ did not/m],
  ["fix", 1, /^FAILED: the fix of smoke-driver-\S+ to who watches smoke-delivery-\S+ did not/m],
])(
  "the smoke test against a server that loses %s",
  { timeout: 60_000 },
  async ([loss, code, line]) => {
    await using gateway = await startLossyGateway(loss);
    const run = await runLoadtest("smoke", "--target", gateway.url);
    expect(run.output).toMatch(line);
    expect(run.code).toBe(code);
  },
);

test("a target where nobody answers is a clear error", async () => {
  const run = await runLoadtest("smoke", "--target", "http://127.0.0.1:9");
  expect(run.output).toContain("FAILED: Nothing answers at http://127.0.0.1:9");
  expect(run.code).toBe(1);
});

test("an unknown flag or test is a clear error", async () => {
  expect(await runLoadtest("smoke", "--tarrget", "x")).toMatchObject({
    code: 2,
    output: expect.stringContaining("--tarrget"),
  });
  expect(await runLoadtest("soak")).toMatchObject({
    code: 2,
    output: expect.stringContaining("smoke"),
  });
});
