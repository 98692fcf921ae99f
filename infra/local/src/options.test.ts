import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";

const two = {
  "notification-sse": 2,
  "chat-ws": 2,
  "tracking-ingest": 2,
  "tracking-fanout": 2,
};

test("without options everything runs twice, with the simulator", () => {
  expect(parseOptions([])).toEqual({
    kind: "start",
    options: { reset: false, simulator: true, replicas: two, port: undefined, tls: false },
  });
});

test("replicas are set for all services or for some, the later word winning", () => {
  const parsed = parseOptions(["--replicas", "3", "--replicas=chat-ws=1", "--no-simulator"]);
  expect(parsed).toMatchObject({
    kind: "start",
    options: { simulator: false, replicas: { "chat-ws": 1, "tracking-ingest": 3 } },
  });
  expect(parseOptions(["--reset", "--tls", "--port", "9000"])).toMatchObject({
    options: { reset: true, port: 9000, tls: true },
  });
});

test.each([
  [["--rest"], /--rest/],
  [["extra"], /extra/],
  [["--replicas", "0"], /1 to 32/],
  [["--replicas", "chat=2"], /no such service.*chat-ws/],
  [["--replicas", "chat-ws=two"], /chat-ws=two/],
  [["--port", "http"], /not a port/],
  [["--port"], /--port/],
  [["--no-reset=1"], /reset/],
])("a typo is an error that names it: %j", (argv, message) => {
  const parsed = parseOptions(argv);
  expect(parsed.kind).toBe("wrong");
  expect(parsed.kind === "wrong" && parsed.message).toMatch(message);
});

test("--help wins", () => {
  expect(parseOptions(["--help"])).toEqual({ kind: "help" });
});
