import type { Findings } from "./findings.ts";
import type { Ledger } from "./ledger.ts";

/**
 * Two entries of one group with the same `seq`, and, in conversations, numbers that nobody has (PROTOCOL.md C4). Where
 * what is stored is known, a conversation begins with 1 and every number must be somebody's; else it begins where it was
 * first seen, and a message of unknown fate may have taken any number.
 */
export function findSeqFaults(ledger: Ledger, unknown: number, found: Findings): void {
  const { entries, isStoredKnown } = ledger;
  const sorted = sortByGroup(ledger);
  let spare = isStoredKnown ? 0 : unknown;
  for (const [index, name] of ledger.groups.entries()) {
    const seqs = sorted(index + 1);
    let last = isStoredKnown ? 0 : (seqs[0] ?? 1) - 1;
    for (const seq of seqs) {
      if (seq === last) found.add("contradicted", () => `seq ${seq} twice in ${name}`);
      if (ledger.path === "chat") {
        const gap = Math.max(0, seq - last - 1);
        const taken = Math.min(gap, spare);
        spare -= taken;
        const holes = gap - taken;
        if (holes > 0) found.add("holes", () => `${holes} before seq ${seq} of ${name}`, holes);
      }
      last = seq;
    }
  }

  /** The known `seq`s of each group, ascending. */
  function sortByGroup({ groups }: Ledger): (group: number) => Float64Array {
    const ends = new Uint32Array(groups.length + 2);
    const known = (entry: number) => entries.group.get(entry) > 0 && entries.seq.get(entry) > 0;
    for (let entry = 0; entry < entries.size; entry++) {
      if (known(entry)) count(ends, entries.group.get(entry) + 1);
    }
    for (let group = 1; group < ends.length; group++) {
      ends[group] = (ends[group] ?? 0) + (ends[group - 1] ?? 0);
    }
    const starts = ends.slice();
    const all = new Float64Array(ends.at(-1) ?? 0);
    for (let entry = 0; entry < entries.size; entry++) {
      if (known(entry)) all[count(ends, entries.group.get(entry))] = entries.seq.get(entry);
    }
    return (group) => all.subarray(starts[group], ends[group]).sort();
  }
}

/** @returns the count before. */
function count(counts: Uint32Array, index: number): number {
  const before = counts[index] ?? 0;
  counts[index] = before + 1;
  return before;
}
