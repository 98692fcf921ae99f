import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError, commonEnv, millisecondsEnv, natsEnv, readConfig } from "./config.ts";

const schema = z.object({ ...commonEnv, ...natsEnv, KEEPALIVE_MS: millisecondsEnv(25_000) });
const right = {
  PORT: "4001",
  ADMIN_PORT: "0",
  REPLICA_NAME: "chat-ws-1",
  AUTH_JWT_SECRET: "0123456789abcdef0123456789abcdef",
  NATS_URL: "nats://127.0.0.1:4222, nats://127.0.0.1:4223",
  NATS_USER: "chat-ws",
  NATS_PASSWORD: "secret",
};

function faultsOf(env: Record<string, string | undefined>): string {
  try {
    readConfig(schema, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error("the configuration was accepted");
}

describe("readConfig", () => {
  test("reads numbers, lists and defaults", () => {
    const config = readConfig(schema, right);
    expect(config.PORT).toBe(4001);
    expect(config.NATS_URL).toEqual(["nats://127.0.0.1:4222", "nats://127.0.0.1:4223"]);
    expect(config.KEEPALIVE_MS).toBe(25_000);
    expect(config.ALLOWED_ORIGINS).toEqual([]);
  });

  test("O3: names every wrong and missing variable at once, and repeats no value", () => {
    const text = faultsOf({
      ...right,
      PORT: "eighty",
      NATS_URL: undefined,
      NATS_USER: "",
      AUTH_JWT_SECRET: "too-short-a-secret",
      KEEPALIVE_MS: "-1",
      ALLOWED_ORIGINS: "https://shop.example, https://shop.example/orders",
    });
    expect(text).toMatch(/PORT: .*number/);
    expect(text).toContain("NATS_URL: missing");
    expect(text).toContain("NATS_USER: missing");
    expect(text).toMatch(/AUTH_JWT_SECRET: .*32/);
    expect(text).toMatch(/KEEPALIVE_MS: /);
    expect(text).toContain("ALLOWED_ORIGINS: must be origins");
    expect(text).not.toContain("too-short-a-secret");
  });

  test("A1: a secret and a key set exclude each other, and one is needed", () => {
    expect(faultsOf({ ...right, AUTH_JWKS_FILE: "/keys.json" })).toContain("exactly one");
    expect(faultsOf({ ...right, AUTH_JWKS_URL: "https://id.example/keys" })).toContain(
      "AUTH_JWT_SECRET, AUTH_JWKS_FILE, AUTH_JWKS_URL: exactly one",
    );
    expect(faultsOf({ ...right, AUTH_JWT_SECRET: undefined })).toContain("exactly one");
  });
});
