import { Ledger, type Path } from "@localstreet/oracle/ledger";
import type { Timeline } from "./timeline.ts";

/** A ledger that also tells a timeline when things happened. */
export class TimedLedger extends Ledger {
  readonly #timeline: Timeline;

  constructor(path: Path, timeline: Timeline, maxEntries = 5_000_000) {
    super(path, maxEntries);
    this.#timeline = timeline;
  }

  override offer(...[key, offer]: Parameters<Ledger["offer"]>): void {
    super.offer(key, offer);
    this.#timeline.count(this.path, "offered", Date.now());
  }

  override acknowledge(...[key, sighting]: Parameters<Ledger["acknowledge"]>): void {
    super.acknowledge(key, sighting);
    this.#timeline.count(this.path, "acknowledged", Date.now());
  }

  override refuse(...[key, refusal]: Parameters<Ledger["refuse"]>): void {
    super.refuse(key, refusal);
    this.#timeline.count(this.path, "refused", Date.now());
  }

  override receive(...[receiver, sighting]: Parameters<Ledger["receive"]>): void {
    super.receive(receiver, sighting);
    const entry = this.entries.keys.find(sighting.key);
    const latencyMs = entry < 0 ? undefined : sighting.atMs - this.entries.offeredAtMs.get(entry);
    this.#timeline.deliver(this.path, Date.now(), latencyMs);
  }
}
