import { raise } from "@localstreet/contracts/raise";
import type { Api } from "./api.ts";
import type { Counts } from "./counts.ts";
import type { PhoneFix } from "./phone-errors.ts";
import type { Identity } from "./tokens.ts";

export interface Uplink {
  push(fixes: readonly PhoneFix[]): void;
}

/** Fixes that wait for the platform; then the oldest is forgotten. */
const MAX_WAITING = 60;

/** A courier's network: sends one fix after the other, oldest first, and keeps what the platform does not take yet. */
export function openUplink(driver: Identity, api: Api, counts: Counts): Uplink {
  const waiting: PhoneFix[] = [];
  let sending = false;

  async function send(): Promise<void> {
    sending = true;
    for (let fix = waiting.shift(); fix; fix = waiting.shift()) {
      const path = `/api/driver/${driver.sub}/location`;
      const answer = await api.send({ method: "POST", path, as: driver, body: fix });
      if (answer === "done") counts.fixes += 1;
      if (answer === "stopped") break;
    }
    sending = false;
  }

  return {
    push(fixes) {
      waiting.push(...fixes);
      waiting.splice(0, waiting.length - MAX_WAITING);
      if (!sending) send().catch(raise);
    },
  };
}
