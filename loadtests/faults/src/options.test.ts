import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";

const KNOWN = ["kill-replica", "nats-restart", "redis-flushed"];
const GROUPS = { all: KNOWN, stores: ["nats-restart", "redis-flushed"] };
const parse = (text: string) => parseOptions(text.split(" ").filter(Boolean), KNOWN, GROUPS);

test("names, sizes and the three-node cluster are understood", () => {
  expect(parse("nats-restart kill-replica nats-restart --nats 3 --size 4 --keep")).toEqual({
    kind: "run",
    options: {
      faults: ["nats-restart", "kill-replica"],
      natsNodes: 3,
      size: 4,
      writeDocs: false,
      keep: true,
    },
  });
  expect(parse("all --write-docs")).toMatchObject({
    options: { faults: KNOWN, natsNodes: 1, writeDocs: true },
  });
  expect(parse("redis-flushed stores")).toMatchObject({
    options: { faults: ["redis-flushed", "nats-restart"] },
  });
  expect(parse("--list").kind).toBe("list");
  expect(parse("-h").kind).toBe("help");
});

test.each([
  ["nats-restrat", "no fault is called nats-restrat: did you mean nats-restart?"],
  ["earthquake", "no fault is called earthquake: --list names them"],
  ["", "which fault? --list names them"],
  ["all --nats 2", "--nats 2: there are 1 and 3"],
  ["all --size 0", "--size 0: must be a whole number from 1 to 99"],
  ["all --sise 3", "Unknown option '--sise'"],
])("%s is answered with one line: %s", (text, message) => {
  expect(parse(text)).toEqual({ kind: "wrong", message });
});
