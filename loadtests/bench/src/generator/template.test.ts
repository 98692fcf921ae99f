import { expect, test } from "vitest";
import { compileTemplate } from "./template.ts";

test("a template is filled in with the topic, the message and the run", () => {
  const fill = compileTemplate('/v{n}/{run}?"seq":1{digits}', "r1");
  expect(fill(7, 42)).toBe('/v7/r1?"seq":100000042');
});

test("times go up with the message's number, a millisecond each", () => {
  const fill = compileTemplate("{time}", "r1");
  expect(Date.parse(fill(0, 5)) - Date.parse(fill(0, 2))).toBe(3);
});
