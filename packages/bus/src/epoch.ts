import { randomInt } from "node:crypto";

/**
 * A stream's epoch names one life of its log, and stands in the stream's description: the creation time would survive a
 * restore from a backup, and a stream of the same name has the same sequences.
 */
const EPOCH = /\bepoch:([a-z0-9]{8})\b/;

/** The epoch in a stream's description; `null` when it has none. */
export function epochOf(description: string | undefined): string | null {
  return EPOCH.exec(description ?? "")?.[1] ?? null;
}

/** A description with a new epoch. */
export function newEpochDescription(): string {
  return `epoch:${Array.from({ length: 8 }, () => randomInt(36).toString(36)).join("")}`;
}
