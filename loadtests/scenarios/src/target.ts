import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where to send the load, and what to sign tokens with. */
export interface Target {
  readonly url: string;
  readonly secret: string;
}

/** Where `npm start` keeps its data, and where runs leave theirs. */
export const DATA_DIR =
  process.env.LOCALSTREET_DIR || fileURLToPath(new URL("../../../.localstreet", import.meta.url));

/**
 * The platform at `url`, or else the one that `npm start` of this checkout runs.
 *
 * @throws {Error} that says what is missing and how to get it.
 */
export async function findTarget(
  url: string | undefined,
  env: NodeJS.ProcessEnv,
  dataDir = DATA_DIR,
): Promise<Target> {
  const found = url ?? readOrNothing(join(dataDir, "address"));
  if (!found) {
    throw new Error(
      "No platform runs in this checkout: `npm start` runs one, or give --target URL",
    );
  }
  if (!/^https?:\/\//.test(found) || !URL.canParse(found)) {
    throw new Error(`--target must be an http or https address, not "${found}"`);
  }
  const secret = env.AUTH_JWT_SECRET || readOrNothing(join(dataDir, "platform/auth-secret"));
  if (!secret) throw new Error("AUTH_JWT_SECRET must be set: it signs the visitors' tokens");
  const { origin } = new URL(found);
  // Any answer will do: somebody is there.
  await fetch(origin, { signal: AbortSignal.timeout(5_000) }).catch((error: unknown) => {
    throw new Error(`Nothing answers at ${origin}: is the platform running?`, { cause: error });
  });
  return { url: origin, secret };
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}
