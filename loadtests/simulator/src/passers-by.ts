import type { PostActivity } from "@localstreet/contracts/dashboard";
import { raise } from "@localstreet/contracts/raise";
import type { Api } from "./api.ts";
import type { Clock } from "./clock.ts";
import type { Counts } from "./counts.ts";
import { BACKEND } from "./deliveries.ts";
import type { Random } from "./random.ts";
import { BUYER_NAMES } from "./shops.ts";
import type { Vendor } from "./town.ts";

const REVIEWS = [
  "As good as last week. The bag was still warm.",
  "Quick and friendly, and the portions are fair.",
  "Lovely people. One thing was missing, and they brought it.",
  "Not what I expected from the picture, but tasty.",
  "The best in the neighbourhood, no contest.",
] as const;

/** Seconds of the town's time between two people at the window of a shop. */
const EVERY_SECONDS = [6, 30] as const;

/** People who look at a shop's page, fill a basket, and say what they think: its dashboard shows them. */
export function letPassersBy(
  vendor: Vendor,
  world: { api: Api; clock: Clock; counts: Counts; random: Random },
): void {
  const { api, clock, counts } = world;
  const random = world.random.fork(`${vendor.vendorId} visits`);

  async function pass(): Promise<void> {
    while (!clock.stopped.aborted) {
      await clock.pass(random.between(...EVERY_SECONDS));
      const path = `/api/vendor/${vendor.vendorId}/activity`;
      const body = createActivity(random, vendor);
      if ((await api.send({ method: "POST", path, as: BACKEND, body })) === "done") {
        counts.activities += 1;
      }
    }
  }
  pass().catch(raise);
}

/** Body of `POST /api/vendor/{vendorId}/activity`. */
export function createActivity(random: Random, vendor: Vendor): PostActivity {
  const item = random.pick(vendor.menu).name;
  const what = random.next();
  if (what < 0.55) {
    const page = random.chance(0.4) ? "Menu" : item;
    return { kind: "visit", page };
  }
  if (what < 0.93) {
    const action = what < 0.8 ? "added" : what < 0.87 ? "removed" : "abandoned";
    return { kind: "cart", action, item, quantity: random.chance(0.8) ? 1 : random.integer(2, 4) };
  }
  const stars = random.pick([5, 5, 4, 4, 3]);
  const author = BUYER_NAMES[random.integer(0, BUYER_NAMES.length - 1)];
  return { kind: "review", stars, text: random.pick(REVIEWS), author };
}
