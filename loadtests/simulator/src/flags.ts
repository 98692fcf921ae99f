import { parseArgs } from "node:util";

export interface Flags {
  readonly gateway: string;
  readonly directory: string;
  readonly seed: number;
  readonly speed: number;
  readonly vendors: number;
  readonly couriers: number;
}

export const USAGE = `Usage: simulator --gateway URL --directory FILE [options]

  --gateway URL     where the platform answers, such as http://127.0.0.1:8080
  --directory FILE  kept up to date with who and what there is to look at
  --seed N          the same seed, the same town and the same chance (1)
  --speed N         how fast its time runs, 0.1 to 20 (1)
  --vendors N       shops, 1 to 60 (12)
  --couriers N      couriers, 0 to 100 (8)

AUTH_JWT_SECRET in the environment signs the tokens; AUTH_ISSUER, where the platform asks for one.`;

/** @throws {Error} that says which flag is wrong and what was expected. */
export function parseFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    strict: true,
    options: {
      gateway: { type: "string" },
      directory: { type: "string" },
      seed: { type: "string", default: "1" },
      speed: { type: "string", default: "1" },
      vendors: { type: "string", default: "12" },
      couriers: { type: "string", default: "8" },
    },
  });
  const { gateway, directory } = values;
  if (!gateway || !/^https?:\/\//.test(gateway) || !URL.canParse(gateway)) {
    throw new Error("--gateway must be an http or https address");
  }
  if (!directory) throw new Error("--directory must name a file");
  return {
    gateway: gateway.replace(/\/+$/, ""),
    directory,
    seed: wholeNumber("--seed", values.seed, 0, Number.MAX_SAFE_INTEGER),
    speed: number("--speed", values.speed, 0.1, 20),
    vendors: wholeNumber("--vendors", values.vendors, 1, 60),
    couriers: wholeNumber("--couriers", values.couriers, 0, 100),
  };
}

function number(flag: string, text: string, low: number, high: number): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= low && value <= high)) {
    throw new Error(`${flag} must be a number from ${low} to ${high}, not "${text}"`);
  }
  return value;
}

function wholeNumber(flag: string, text: string, low: number, high: number): number {
  const value = number(flag, text, low, high);
  if (!Number.isInteger(value)) throw new Error(`${flag} must be a whole number, not "${text}"`);
  return value;
}
