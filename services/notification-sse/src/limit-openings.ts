import { requireToken, type SharedRate } from "@localstreet/service-kit/shared-rate";
import type { OpenStreams } from "./stream/open-streams.ts";

/**
 * The streams of a person who opens them no faster than at a rate (PROTOCOL.md E20). A long poll is not among them: it ends
 * with each event, so it counts as a request.
 */
export function limitOpenings(streams: OpenStreams, openings: SharedRate): OpenStreams {
  return {
    ...streams,
    async open(response, principal) {
      await requireToken(openings, principal.personId);
      return await streams.open(response, principal);
    },
  };
}
