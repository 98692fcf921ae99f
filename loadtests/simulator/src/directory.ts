import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { raise } from "@localstreet/contracts/raise";
import { buyerIdentity } from "./buyer.ts";
import type { Clock } from "./clock.ts";
import type { DeliveryEntry } from "./deliveries.ts";
import type { TokenDesk } from "./tokens.ts";
import type { Town } from "./town.ts";
import { staffIdentity } from "./vendor.ts";

/** What a page needs in order to look at the town with the eyes of anybody in it: `/demo/directory.json`. */
export interface Directory {
  readonly city: string;
  readonly updatedAt: string;
  readonly vendors: readonly {
    readonly vendorId: string;
    readonly name: string;
    readonly street: string;
    readonly lat: number;
    readonly lng: number;
    readonly staffId: string;
    readonly token: string;
  }[];
  readonly buyers: readonly {
    readonly buyerId: string;
    readonly name: string;
    readonly token: string;
  }[];
  readonly deliveries: readonly DeliveryEntry[];
}

const SHORTEST_INTERVAL_MS = 1_000;
/** Written again at least so often, so that the tokens in it stay fresh. */
const LONGEST_INTERVAL_MS = 5 * 60_000;

export interface DirectoryFile {
  /** Something changed: the file follows within a second or so. */
  touch(): void;
}

/** Keeps the file up to date, and whole at every moment: each version replaces the one before by a rename. */
export function keepDirectory(options: {
  file: string;
  town: Town;
  tokens: TokenDesk;
  clock: Clock;
  deliveries(): readonly DeliveryEntry[];
  log(line: string): void;
}): DirectoryFile {
  const { clock } = options;
  let changed = true;

  async function keep(): Promise<void> {
    let writtenAtMs = 0;
    while (!clock.stopped.aborted) {
      if (changed || Date.now() - writtenAtMs > LONGEST_INTERVAL_MS) {
        changed = false;
        writtenAtMs = Date.now();
        const directory = await describeTown(options);
        await replaceFile(options.file, JSON.stringify(directory)).catch((error: unknown) => {
          options.log(`the directory could not be written: ${String(error)}`);
        });
      }
      await clock.waitMs(SHORTEST_INTERVAL_MS);
    }
  }
  keep().catch(raise);

  return {
    touch() {
      changed = true;
    },
  };
}

async function describeTown(options: {
  town: Town;
  tokens: TokenDesk;
  deliveries(): readonly DeliveryEntry[];
}): Promise<Directory> {
  const { town, tokens } = options;
  return {
    city: "Gothenburg",
    updatedAt: new Date().toISOString(),
    vendors: await Promise.all(
      town.vendors.map(async (vendor) => ({
        vendorId: vendor.vendorId,
        name: vendor.name,
        street: vendor.street,
        lat: vendor.corner.lat,
        lng: vendor.corner.lng,
        staffId: vendor.staffId,
        token: await tokens.tokenFor(staffIdentity(vendor)),
      })),
    ),
    buyers: await Promise.all(
      town.buyers.map(async (buyer) => ({
        buyerId: buyer.buyerId,
        name: buyer.name,
        token: await tokens.tokenFor(buyerIdentity(buyer)),
      })),
    ),
    deliveries: options.deliveries(),
  };
}

async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const next = `${file}.${process.pid}.next`;
  await writeFile(next, text);
  await rename(next, file);
}
