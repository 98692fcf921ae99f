import { createHmac } from "node:crypto";
import { TOKEN_AUDIENCE } from "@localstreet/contracts/auth";
import { TEST_SECRET } from "./tokens.ts";
import { within } from "./wait.ts";
import { openSocket, UpgradeRefused } from "./ws-client.ts";

/** JSON of values that a claim of time must not have, or has long had: microseconds, "never", no number at all. */
const ODD_TIMES = [
  "8640000000001",
  "253402300800",
  "1e18",
  "1e300",
  "1e999",
  "-1",
  "1.5",
  '"123"',
  "null",
  "[]",
] as const;

/** Harmless: a token that has been valid since 1970. */
const TAKEN = "nbf 1.5";

export interface OddToken {
  /** The claim and its value, as in `exp 1e18`. */
  readonly name: string;
  readonly token: string;
  readonly isTaken: boolean;
}

/** Tokens with a genuine signature by `TEST_SECRET` and one odd claim of time each (PROTOCOL.md A10). */
export function oddTokens(claims: {
  role: string;
  sub: string;
  vendors?: readonly string[];
}): OddToken[] {
  return ["exp", "iat", "nbf"].flatMap((claim) =>
    ODD_TIMES.map((value) => {
      const name = `${claim} ${value}`;
      return { name, token: signOdd(claims, claim, value), isTaken: name === TAKEN };
    }),
  );
}

function signOdd(claims: object, claim: string, value: string): string {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const rest = { aud: TOKEN_AUDIENCE, exp: nowSeconds + 600, ...claims, [claim]: "ODD" };
  // By text: `1e999` is a number of JSON that no number of JavaScript writes.
  const payload = JSON.stringify(rest).replace('"ODD"', value);
  const head = [JSON.stringify({ alg: "HS256" }), payload]
    .map((part) => Buffer.from(part).toString("base64url"))
    .join(".");
  return `${head}.${createHmac("sha256", TEST_SECRET).update(head).digest("base64url")}`;
}

/** What a socket route makes of a token: the status of its upgrade, then its first frame, or the code of its close. */
export async function socketVerdicts(url: string, token: string): Promise<(number | string)[]> {
  const asCookie = { cookie: `localstreet_token=${token}`, "sec-fetch-site": "same-origin" };
  const verdicts: (number | string)[] = [];
  for (const headers of [{ authorization: `Bearer ${token}` }, asCookie, null]) {
    try {
      const socket = await openSocket(url, headers === null ? {} : { headers });
      if (headers === null) socket.send({ type: "authenticate", token });
      const first = await socket.next();
      if (first.type === "error") {
        const closing = within(5_000, socket.closed, () => "the close");
        verdicts.push((await closing).code);
      } else verdicts.push(first.type);
      socket.close();
    } catch (error) {
      if (!(error instanceof UpgradeRefused)) throw error;
      verdicts.push(error.status);
    }
  }
  return verdicts;
}
