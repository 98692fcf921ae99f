import { parseEventId } from "@localstreet/contracts/event-id";
import type { Column } from "./column.ts";
import type { Entries } from "./entries.ts";
import type { Findings } from "./findings.ts";
import { hash52 } from "./hash.ts";
import type { Names } from "./names.ts";

/** What somebody says of an entry: its id in the platform, and its place in the order of its group. */
export interface Sighting {
  readonly id?: string | undefined;
  /** A conversation's `seq`, a fix's `recordedAt` in milliseconds. For orders it is in the id. */
  readonly seq?: number | undefined;
  /** What order is judged in: the vendor, the conversation, the delivery. */
  readonly group?: string | undefined;
}

/** Keeps what is said of entries, and finds where two contradict each other. */
export class Sightings {
  readonly #entries: Entries;
  readonly #groups: Names;
  readonly #findings: Findings;
  readonly #placeIsInId: boolean;

  constructor(options: {
    entries: Entries;
    groups: Names;
    findings: Findings;
    placeIsInId: boolean;
  }) {
    this.#entries = options.entries;
    this.#groups = options.groups;
    this.#findings = options.findings;
    this.#placeIsInId = options.placeIsInId;
  }

  add(entry: number, sighting: Sighting): void {
    const { id, group } = sighting;
    const { idHash, seq, group: groups } = this.#entries;
    if (id !== undefined) this.#agree(entry, "id", idHash, hash52(id));
    const place = this.#placeIn(sighting);
    if (place !== undefined) this.#agree(entry, "seq", seq, place);
    if (group !== undefined) this.#agree(entry, "group", groups, this.#groups.numberOf(group));
  }

  /** Where this sighting, or else an earlier one, says that the entry stands; 0 when none does. */
  placeOf(entry: number, sighting: Sighting): number {
    return this.#placeIn(sighting) ?? this.#entries.seq.get(entry);
  }

  #placeIn({ id, seq }: Sighting): number | undefined {
    if (seq !== undefined || id === undefined || !this.#placeIsInId) return seq;
    return parseEventId(id)?.sequence;
  }

  #agree(entry: number, what: string, column: Column, value: number): void {
    const known = column.get(entry);
    if (known === 0) column.set(entry, value);
    else if (known !== value) {
      this.#findings.add("contradicted", () => `${what} of ${this.#entries.keys.textOf(entry)}`);
    }
  }
}
