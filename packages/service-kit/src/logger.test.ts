import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";
import { signToken } from "./sign-token.ts";

test("O2: no log line holds a token, wherever it was put", async () => {
  const token = await signToken({
    secret: "a-secret-of-at-least-thirty-two-bytes",
    sub: "ana",
    role: "buyer",
  });
  const lines: string[] = [];
  const logger = createLogger(
    { level: "info", service: "chat-ws", replica: "chat-ws-1" },
    { write: (line: string) => lines.push(line) },
  );
  logger.info({ headers: { authorization: `Bearer ${token}` } }, `with ${token}`);
  logger.error(new Error(`cookie localstreet_token=${token}; a=b`));
  expect(lines).toHaveLength(2);
  for (const line of lines) {
    expect(line).not.toContain(token.split(".")[1]);
    expect(line).not.toContain(token.split(".")[2]);
    expect(JSON.parse(line)).toMatchObject({ service: "chat-ws", replica: "chat-ws-1" });
  }
});
