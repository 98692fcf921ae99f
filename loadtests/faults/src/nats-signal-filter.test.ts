import { expect, test } from "vitest";
import { createSignalFilter } from "./nats-signal-filter.ts";

const message = (subject: string, payload: string) =>
  `MSG ${subject} 7 ${Buffer.byteLength(payload)}\r\n${payload}\r\n`;
const withHeader = (subject: string, header: string, payload: string) =>
  `HMSG ${subject} 7 _INBOX.1 ${header.length} ${header.length + payload.length}\r\n${header}${payload}\r\n`;

const HEADER = "NATS/1.0\r\nNats-Sequence: 3\r\n\r\n";
const SAID = [
  'INFO {"server_id":"x"}\r\n',
  "+OK\r\n",
  message("live.vendor.a.orders", "MSG live.vendor.b.orders 1 1\r\nnot a frame"),
  withHeader("live.vendor.b.orders", HEADER, '{"n":1}'),
  "PING\r\n",
  message("live.vendor.b.orders", ""),
  "-ERR 'Authorization Violation'\r\n",
  withHeader("_INBOX.2", HEADER, ""),
].join("");

/** What passes when the text comes in pieces of `size` bytes. */
function filtered(text: string, size: number, isLost: (subject: string) => boolean): string {
  const filter = createSignalFilter(isLost);
  const bytes = Buffer.from(text);
  let passed = "";
  for (let at = 0; at < bytes.length; at += size) {
    passed += filter(bytes.subarray(at, at + size)).toString();
  }
  return passed;
}

test("only the chosen messages are lost, however the bytes are cut", () => {
  const wanted = SAID.replace(withHeader("live.vendor.b.orders", HEADER, '{"n":1}'), "").replace(
    message("live.vendor.b.orders", ""),
    "",
  );
  for (const size of [1, 2, 3, 7, 64, 10_000]) {
    expect(filtered(SAID, size, () => false)).toBe(SAID);
    expect(filtered(SAID, size, (subject) => subject === "live.vendor.b.orders")).toBe(wanted);
  }
});

test("another protocol is told apart", () => {
  expect(() => filtered("MSG a 1 many\r\n", 100, () => false)).toThrow("not the protocol of NATS");
  expect(() => filtered("x".repeat(100_000), 100_000, () => false)).toThrow();
});
