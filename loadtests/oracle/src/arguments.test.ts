import { expect, test } from "vitest";
import { readArguments, UsageError } from "./arguments.ts";

const ENV = { AUTH_JWT_SECRET: "secret" };

test("a platform's address and a secret are enough", () => {
  expect(readArguments(["check", "--target", "http://127.0.0.1:8080/"], ENV)).toMatchObject({
    command: "check",
    url: "http://127.0.0.1:8080",
    secret: "secret",
    vendors: 3,
    seconds: 10,
  });
});

test.each([
  [["chekc"], "neither check nor lies"],
  [["check"], "--target URL is missing"],
  [["check", "--target", "localhost:8080"], "http or https address"],
  [["check", "--target", "http://x", "--vendors", "0"], "--vendors must be"],
  [["check", "--target", "http://x", "--seconds", "ten"], "--seconds must be"],
  [["check", "--taget", "http://x"], "--taget"],
  [["lies", "truths"], "neither check nor lies"],
])("%j is refused in one line", (args, message) => {
  expect(() => readArguments(args, ENV)).toThrow(UsageError);
  expect(() => readArguments(args, ENV)).toThrow(message);
});

test("without a secret there are no tokens", () => {
  expect(() => readArguments(["check", "--target", "http://x"], {})).toThrow("AUTH_JWT_SECRET");
});
