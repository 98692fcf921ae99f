import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CHECKOUT } from "../src/checkout.ts";

// The step "promises" of `npm test` looks at all services. Here it is shown what it finds.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "localstreet-promises-"));
  const compilerOptions = { strict: true, target: "es2023", types: [], noEmit: true };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const DECLARED = `
declare function work(): Promise<void>;
declare function fail(error: unknown): void;
declare const socket: { on(event: string, listener: (data: string) => void): void };
`;

/** The rules that one statement breaks. */
async function verdictOn(name: string, statement: string): Promise<string[]> {
  const file = join(folder, `${name}.ts`);
  await writeFile(file, `${DECLARED}${statement}\nexport {};\n`);
  const config = join(CHECKOUT, ".oxlintrc.json");
  const tool = join(CHECKOUT, "node_modules/.bin/oxlint");
  const output = await new Promise<string>((resolve) => {
    execFile(tool, ["-c", config, "--format=json", file], (_error, stdout) => resolve(stdout));
  });
  const { diagnostics } = JSON.parse(output) as { diagnostics: { code: string }[] };
  return diagnostics.map(({ code }) => code).sort();
}

const FLOATING = "typescript(no-floating-promises)";
const MISUSED = "typescript(no-misused-promises)";
const VOID = "eslint(no-void)";

test.each([
  ["alone", "work();", [FLOATING]],
  ["void", "void work();", [VOID, FLOATING]],
  ["void-callback", "export const begin = () => void work();", [VOID]],
  ["then-alone", "work().then(() => {});", [FLOATING]],
  ["listener", `socket.on("message", async () => { await work(); });`, [MISUSED]],
  ["handled", "work().catch(fail);", []],
  ["awaited", "await work();", []],
])("a promise that is left alone is found: %s", async (name, statement, rules) => {
  expect(await verdictOn(name, statement)).toEqual(rules);
});
