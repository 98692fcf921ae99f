import type { Bus } from "@localstreet/bus/connection";
import { type PersonId, personIdSchema } from "@localstreet/contracts/ids";
import { Problem } from "@localstreet/contracts/problem";
import { liveTrackingSubject } from "@localstreet/contracts/subjects";
import { type Fix, fixSchema } from "@localstreet/contracts/tracking";
import { parseRequest } from "@localstreet/service-kit/http";
import { createRateLimiter, type Rate } from "@localstreet/service-kit/rate-limit";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { LRUCache } from "lru-cache";
import { Counter } from "prom-client";
import { z } from "zod";
import { acceptFix } from "./accept-fix.ts";
import type { TrackingIngestConfig } from "./config.ts";
import type { PositionStore, StoredPosition } from "./position-store.ts";

const paramsSchema = z.object({ driverId: personIdSchema });

/**
 * How often one fix is decided on when others of the same driver keep coming between. Each of those was a step forward,
 * so more than a few means that a driver sends far over the rate.
 */
const DECISIONS_MAX = 5;

/** `POST /api/driver/{driverId}/location` (PROTOCOL.md T1, T2, T10). */
export function registerLocationRoute(
  kit: ServiceKit<TrackingIngestConfig>,
  { positions, rate, bus }: { positions: PositionStore; rate: Rate; bus: Bus },
): void {
  const { config, http, authenticator, metrics } = kit;
  // What this replica refuses costs Redis nothing; what is over the rate on all replicas together the store refuses.
  const limiter = createRateLimiter(rate);
  // What this replica believes is stored. Redis has the last word, so a wrong belief costs one more trip.
  const believed = new LRUCache<PersonId, StoredPosition>({ max: config.PREVIOUS_FIXES });
  const fixes = new Counter({
    name: "localstreet_fixes_total",
    help: "Fixes by what was decided on them",
    labelNames: ["outcome"],
    registers: [metrics],
  });
  const signals = new Counter({
    name: "localstreet_position_signals_total",
    help: "Accepted fixes by what the bus got of them: unwatched ones are not sent",
    labelNames: ["outcome"],
    registers: [metrics],
  });

  http.post("/api/driver/:driverId/location", async (request, reply) => {
    const principal = await authenticator.authenticate(request, "driver");
    const { driverId } = parseRequest(paramsSchema, request.params, "The path");
    if (principal.personId !== driverId) throw new Problem("not-found");
    const verdict = limiter.take(driverId);
    if (!verdict.ok) throw rateLimited(verdict.retryAfterMs);
    await storeFix(driverId, parseRequest(fixSchema, request.body, "The body"));
    return reply.code(204).send();
  });

  /** Returns when the fix is in Redis, or something newer is. */
  async function storeFix(driverId: PersonId, fix: Fix): Promise<void> {
    const nowMs = Date.now();
    let previous = believed.get(driverId) ?? null;
    for (let decisions = 0; decisions < DECISIONS_MAX; decisions += 1) {
      const decision = acceptFix(previous?.position ?? null, fix, nowMs);
      if (decision.outcome === "impossible") {
        fixes.inc({ outcome: "impossible" });
        throw new Problem("invalid-request", "The body does not match its schema", {
          issues: [{ path: "recordedAt", message: decision.reason }],
        });
      }
      if (decision.outcome === "late") {
        const stored = await positions.read(driverId);
        if (stored?.encoded === previous?.encoded) {
          fixes.inc({ outcome: "late" });
          return;
        }
        previous = stored;
        continue;
      }
      const next = { position: decision.position, encoded: JSON.stringify(decision.position) };
      const result = await positions.replace(driverId, previous, next);
      if (result.outcome === "limited") throw rateLimited(result.retryAfterMs);
      if (result.outcome === "replaced") {
        believed.set(driverId, next);
        fixes.inc({ outcome: "accepted" });
        signals.inc({ outcome: result.watched ? announce(driverId, next) : "unwatched" });
        return;
      }
      previous = result.previous;
    }
    throw new Problem("unavailable", "Too many fixes of this driver at once");
  }

  function announce(driverId: PersonId, { encoded }: StoredPosition): "sent" | "dropped" {
    return bus.publishSignal(liveTrackingSubject(driverId), encoded);
  }
}

function rateLimited(retryAfterMs: number): Problem {
  return new Problem("rate-limited", undefined, { retryAfterMs });
}
