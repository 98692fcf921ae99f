import type { Principal } from "./auth.ts";
import type { CommonConfig, OpeningsConfig, RequestsConfig } from "./config.ts";
import type { ServiceKit } from "./service.ts";
import { requireToken, type SharedRate, type SharedRates } from "./shared-rate.ts";

/**
 * Every request that is authenticated from now on counts for its person (PROTOCOL.md E19). Backends have a limit of their
 * own: one of them places the orders of all vendors.
 */
export function limitRequests(
  { config, authenticator }: ServiceKit<CommonConfig & RequestsConfig>,
  rates: SharedRates,
): void {
  const persons = rates.open("requests", {
    perSecond: config.REQUESTS_PER_SECOND,
    burst: config.REQUESTS_BURST,
  });
  const backends = rates.open("backend-requests", {
    perSecond: config.BACKEND_REQUESTS_PER_SECOND,
    burst: config.BACKEND_REQUESTS_BURST,
  });
  authenticator.countRequests(({ role, personId }: Principal) =>
    requireToken(role === "service" ? backends : persons, personId),
  );
}

/** How often one person opens a stream or a WebSocket (PROTOCOL.md E20). */
export function openingsRate(config: OpeningsConfig, rates: SharedRates): SharedRate {
  const { OPENINGS_PER_SECOND: perSecond, OPENINGS_BURST: burst } = config;
  return rates.open("openings", { perSecond, burst });
}
