import { checkPlatform } from "../check.ts";
import type { Verdict } from "../judge.ts";
import { openTarget } from "../target.ts";
import { LIES, type Lie } from "./lies.ts";
import { LYING_REMINDERS } from "./lying-alerts.ts";
import { startLyingServer } from "./lying-server.ts";

const SECRET = "a secret that only the oracle's own tests know";
const ROUNDS = 6;
/** Every lie is told before this round, but for those that need the cut. */
const CUT_BEFORE_ROUND = 3;
/** Enough deliveries that the thousandth comes after the cut. */
const MANY_ORDERS = 60;
const FEW_ORDERS = 4;
const DOWN_MS = 150;
/** What a liar owes never comes; what an honest server owes may be late on a busy machine. */
const LYING_SETTLE_MS = 4_000;
const HONEST_SETTLE_MS = 15_000;
const AT_A_TIME = 14;

/** A small town on a server that tells `lie` (`null`: none) and cuts every connection half way. */
export async function hearServer(lie: string | null): Promise<Verdict[]> {
  const server = await startLyingServer(lie);
  try {
    const isRare = lie === null || lie.includes("in a thousand");
    return await checkPlatform({
      target: openTarget({ url: server.url, secret: SECRET }),
      vendors: 2,
      rounds: ROUNDS,
      orders: isRare ? MANY_ORDERS : FEW_ORDERS,
      everyMs: 40,
      settleMs: lie === null ? HONEST_SETTLE_MS : LYING_SETTLE_MS,
      reminders: LYING_REMINDERS,
      giveUpMs: 5_000,
      backoffMs: { base: 40, cap: 100 },
      beforeRound(round) {
        if (round === CUT_BEFORE_ROUND) server.cutAll(DOWN_MS);
      },
    });
  } finally {
    await server.close();
  }
}

export interface Hearing extends Lie {
  /** How often the row that must find it did. */
  readonly found: number;
  readonly verdicts: readonly Verdict[];
}

/** Every lie, each told by a server of its own, some at a time. */
export async function hearLies(lies: readonly Lie[] = LIES): Promise<Hearing[]> {
  const left = [...lies.entries()];
  const heard: Hearing[] = [];
  const hearings = Array.from({ length: AT_A_TIME }, async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [index, lie] = next;
      const verdicts = await hearServer(lie.lie);
      heard[index] = { ...lie, verdicts, found: countOf(lie, verdicts) };
    }
  });
  await Promise.all(hearings);
  return heard;
}

function countOf({ path, row }: Lie, verdicts: readonly Verdict[]): number {
  const verdict = verdicts.find((one) => one.path === path);
  if (!verdict) return 0;
  if (row === "mended by clients: early") return verdict.droppedByClients.early ?? 0;
  if (row === "mended by clients: repeated") return verdict.droppedByClients.repeated ?? 0;
  return verdict[row] ?? 0;
}

/** The table of lies and the row that found each, as Markdown. */
export function formatHearings(heard: readonly Hearing[]): string {
  const rows = heard.map(({ path, lie, row, found }) => [
    path,
    `the server ${lie}`,
    row,
    found > 0 ? String(found) : "NOT FOUND",
  ]);
  const lines = [["path", "lie", "found by", "times"], ["---", "---", "---", "---:"], ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
