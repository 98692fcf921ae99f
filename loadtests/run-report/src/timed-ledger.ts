import { Ledger, type Path } from "@localstreet/oracle/ledger";
import type { Timeline } from "./timeline.ts";

/** A ledger that also tells a timeline when things happened, and `onLatency` how long each delivery took. */
export class TimedLedger extends Ledger {
  readonly #timeline: Timeline;
  readonly #onLatency: ((path: Path, latencyMs: number) => void) | undefined;

  constructor(
    path: Path,
    timeline: Timeline,
    onLatency?: (path: Path, latencyMs: number) => void,
    maxEntries = 5_000_000,
  ) {
    super(path, maxEntries);
    this.#timeline = timeline;
    this.#onLatency = onLatency;
  }

  override offer(...[key, offer]: Parameters<Ledger["offer"]>): void {
    super.offer(key, offer);
    this.#timeline.offer(this.path, Date.now(), offer.audience.length);
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
    const offeredAtMs = entry < 0 ? 0 : this.entries.offeredAtMs.get(entry);
    // Nobody offered it here, which the judge will say.
    const latencyMs = offeredAtMs === 0 ? undefined : sighting.atMs - offeredAtMs;
    this.#timeline.deliver(this.path, Date.now(), latencyMs);
    if (latencyMs !== undefined) this.#onLatency?.(this.path, latencyMs);
  }
}
