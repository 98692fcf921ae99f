import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");

function testFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (["node_modules", "dist", "generated"].includes(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return /\.test\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

/** The rule numbers at the start of every test's name, as in `test("C4 C5: …"`. */
function provenRules(): Set<string> {
  const names = /\b(?:test|it)(?:\.each\([\s\S]*?\))?\(\s*["'`]((?:[A-Z]\d+[ ,]*)+):/g;
  const proven = new Set<string>();
  for (const folder of ["packages", "services", "infra", "loadtests"]) {
    for (const file of testFiles(join(root, folder))) {
      for (const [, rules] of readFileSync(file, "utf8").matchAll(names)) {
        for (const rule of rules?.match(/[A-Z]\d+/g) ?? []) proven.add(rule);
      }
    }
  }
  return proven;
}

test("every rule of PROTOCOL.md has a test that is named after it, and every such name is a rule", () => {
  const text = readFileSync(join(root, "PROTOCOL.md"), "utf8");
  const rules = [...text.matchAll(/^- \*\*([A-Z]\d+)\*\* /gm)].map(([, rule]) => rule as string);
  expect(rules.length).toBeGreaterThan(40);
  expect(new Set(rules).size).toBe(rules.length);
  const proven = provenRules();
  expect(rules.filter((rule) => !proven.has(rule))).toEqual([]);
  expect([...proven].filter((rule) => !rules.includes(rule))).toEqual([]);
});
