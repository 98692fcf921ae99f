import { expect, test } from "vitest";
import { planSources } from "./limits.ts";

const here = new URL("http://127.0.0.1:8080");
const elsewhere = new URL("https://example.org");
const limits = { descriptors: 20_000, ports: 28_000 };

test("on this machine connections come from as many addresses as the gateway's limit asks for", () => {
  const [plan, ...others] = planSources({ shops: 250, target: here, limits });
  expect(others).toEqual([]);
  expect(plan?.addresses.length).toBe(Math.ceil(5_000 / 90));
  expect(plan?.callerAddress).toBe("127.1.0.1");
  expect(new Set(plan?.addresses).size).toBe(plan?.addresses.length);
  expect(plan?.addresses).not.toContain(plan?.callerAddress);
});

test("tens of thousands are spread over processes, and no address is used by two", () => {
  const plans = planSources({ shops: 2_000, target: here, limits, perAddress: 50 });
  expect(plans.length).toBe(8);
  expect(plans.reduce((sum, { shops }) => sum + shops, 0)).toBe(2_000);
  const all = plans.flatMap(({ addresses, callerAddress }) => [...addresses, callerAddress]);
  expect(new Set(all).size).toBe(all.length);
  for (const address of all)
    expect(address).toMatch(/^127\.\d+\.\d+\.([1-9]|\d\d|1\d\d|2[0-4]\d|250)$/);
});

test("too few file descriptors: the error says how many are needed and how to get them", () => {
  const few = { ...limits, descriptors: 1_024 };
  expect(() => planSources({ shops: 250, target: here, limits: few })).toThrow(
    /need 5200 file descriptors in each of 1 processes, and 1024 are allowed: .*ulimit -n 5200.*--workers 7/,
  );
});

test("another machine is reached from one address, which has only so many ports", () => {
  const [plan] = planSources({ shops: 100, target: elsewhere, limits });
  expect(plan).toMatchObject({ addresses: [], callerAddress: undefined });
  expect(() => planSources({ shops: 1_500, target: elsewhere, limits })).toThrow(
    /28000 ports .* 30000 connections .*ip_local_port_range/,
  );
});
