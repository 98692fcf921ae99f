import { expect, test } from "vitest";
import { parseFlags } from "./flags.ts";

const NEEDED = ["--gateway", "http://127.0.0.1:8080/", "--directory", "d.json"];

test("what is left out has its default", () => {
  expect(parseFlags(NEEDED)).toEqual({
    gateway: "http://127.0.0.1:8080",
    directory: "d.json",
    seed: 1,
    speed: 1,
    vendors: 12,
    couriers: 8,
  });
});

test.each([
  [["--sped", "2"], "--sped"],
  [["--speed", "fast"], "--speed"],
  [["--speed", "0"], "--speed"],
  [["--vendors", "1.5"], "--vendors"],
  [["--couriers", "-1"], "--couriers"],
  [["--gateway", "localhost"], "--gateway"],
  [["stray"], "stray"],
])("%j is refused by its name", (args, name) => {
  expect(() => parseFlags([...NEEDED, ...args])).toThrow(name);
});

test("what must be there is asked for", () => {
  expect(() => parseFlags([])).toThrow("--gateway");
  expect(() => parseFlags(NEEDED.slice(0, 2))).toThrow("--directory");
});
