import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CHECKOUT } from "../src/checkout.ts";

// `turbo boundaries` enforces who may import whom. It does not tell dependencies from devDependencies.

function manifests(folder: string): { name: string; dependencies?: Record<string, string> }[] {
  return readdirSync(join(CHECKOUT, folder)).flatMap((entry) => {
    try {
      return [JSON.parse(readFileSync(join(CHECKOUT, folder, entry, "package.json"), "utf8"))];
    } catch {
      return [];
    }
  });
}

test("testkit is a devDependency only", () => {
  const all = ["packages", "services", "infra", "loadtests"].flatMap(manifests);
  expect(all.length).toBeGreaterThan(10);
  const users = all.filter((manifest) => manifest.dependencies?.["@localstreet/testkit"]);
  expect(users.map((manifest) => manifest.name)).toEqual([]);
});
