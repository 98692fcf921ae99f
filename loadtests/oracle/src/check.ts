import { setTimeout as sleep } from "node:timers/promises";
import { judge, type Verdict } from "./judge.ts";
import { settle } from "./settle.ts";
import { readStored } from "./stored.ts";
import type { Target } from "./target.ts";
import { openTown } from "./town.ts";

export interface CheckOptions {
  target: Target;
  vendors: number;
  rounds: number;
  /** At each vendor in each round. */
  orders: number;
  /** Between the rounds. */
  everyMs: number;
  /** How long what is owed may take once the load is over. */
  settleMs: number;
  /** Before each round. */
  beforeRound?: (round: number) => Promise<void> | void;
  /** See `openTown`. */
  reminders?: number;
  giveUpMs?: number;
  backoffMs?: { base: number; cap: number };
}

/** Plays a town on a platform, asks the platform what it has stored, and judges all four paths. */
export async function checkPlatform(options: CheckOptions): Promise<Verdict[]> {
  const { target, rounds, orders, everyMs, settleMs } = options;
  const town = await openTown(options);
  try {
    for (let round = 0; round < rounds; round++) {
      await options.beforeRound?.(round);
      await Promise.all([town.playRound(orders), sleep(everyMs)]);
    }
    const ledgers = Object.values(town.ledgers);
    await settle(ledgers, { timeoutMs: settleMs });
    for (const ledger of ledgers) {
      if (ledger.path === "tracking") continue;
      await readStored(ledger, { target, vendorIds: town.vendorIds });
    }
    return ledgers.map((ledger) => judge(ledger));
  } finally {
    town.close();
  }
}
