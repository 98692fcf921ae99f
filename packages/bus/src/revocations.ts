import { type PersonId, personIdSchema } from "@localstreet/contracts/ids";
import { REVOCATIONS_BUCKET, revocationKey } from "@localstreet/contracts/subjects";
import { watchBucket } from "./bucket-watch.ts";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { publishIfLast } from "./jetstream-requests.ts";
import { readFromLeader } from "./stream-reads.ts";

/** Persons whose tokens were revoked, as a copy that follows the bucket (PROTOCOL.md A9). */
export interface Revocations {
  /**
   * Whether a token of the person, issued at this time in seconds since the epoch, was revoked. One that does not say
   * when it was issued is revoked by every revocation of the person.
   */
  isRevoked(personId: PersonId, issuedAtSeconds: number | null): boolean;
  /**
   * Revokes what was issued to the person until then, in seconds since the epoch. Resolves when it is stored; every
   * replica knows a moment later.
   *
   * @throws {BusUnavailableError} when it is not known to be stored; revoking again is safe.
   */
  revoke(personId: PersonId, issuedUntilSeconds: number): Promise<void>;
  readonly size: number;
  close(): void;
}

const STREAM = `KV_${REVOCATIONS_BUCKET}`;
const ATTEMPTS = 10;

/**
 * Opens the revocations with a complete copy, waiting for ever for the bucket to exist. One that the bucket no longer
 * keeps stays in the copy: the tokens that it concerns have ended, and a bucket that was lost must not let them in.
 */
export async function openRevocations(
  bus: Bus,
  /** How often the copy is compared with the leader's newest revision. */
  options: { readonly checkMs?: number } = {},
): Promise<Revocations> {
  const issuedUntil = new Map<PersonId, number>();

  function apply(key: string, _revision: number, data: Uint8Array): void {
    const personId = personIdSchema.safeParse(key);
    if (!personId.success) return;
    // A delete marker: an operator took it back.
    if (data.length === 0) issuedUntil.delete(personId.data);
    else note(personId.data, parseSeconds(data));
  }

  function note(personId: PersonId, seconds: number): void {
    issuedUntil.set(personId, Math.max(seconds, issuedUntil.get(personId) ?? 0));
  }

  const watch = await watchBucket({
    bus,
    stream: STREAM,
    bucket: REVOCATIONS_BUCKET,
    checkMs: options.checkMs ?? 2_000,
    onEntry: apply,
    onNewHistory() {},
    async onSnapshot() {},
  });

  return {
    isRevoked(personId, issuedAtSeconds) {
      const until = issuedUntil.get(personId);
      return until !== undefined && (issuedAtSeconds === null || issuedAtSeconds <= until);
    },
    async revoke(personId, issuedUntilSeconds) {
      const subject = `$KV.${REVOCATIONS_BUCKET}.${revocationKey(personId)}`;
      const body = JSON.stringify({ issuedUntilSeconds });
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const stored = await readFromLeader(bus, STREAM, { last_by_subj: subject });
        // Of two at the same time the later one counts, whichever is written last.
        if (stored && stored.data.length > 0 && parseSeconds(stored.data) >= issuedUntilSeconds) {
          break;
        }
        const lastSequence = stored?.sequence ?? 0;
        if ((await publishIfLast(bus, subject, body, lastSequence)) !== null) break;
        if (attempt === ATTEMPTS) throw new BusUnavailableError("revoke tokens: lost every race");
      }
      note(personId, issuedUntilSeconds);
    },
    get size() {
      return issuedUntil.size;
    },
    close: watch.close,
  };
}

/** What cannot be read revokes everything: it was meant to revoke something. */
function parseSeconds(data: Uint8Array): number {
  try {
    const { issuedUntilSeconds } = JSON.parse(new TextDecoder().decode(data));
    if (typeof issuedUntilSeconds === "number") return issuedUntilSeconds;
  } catch {}
  return Number.MAX_SAFE_INTEGER;
}
