import { explainRefusal } from "./connection-chip.tsx";
import { HttpError } from "./http-error.ts";

/** Why a request of `fetchJson` failed, as the end of a sentence. */
export function explainFailure(error: unknown): string {
  if (error instanceof HttpError) {
    const { status, problem } = error;
    if (status === 401 || status === 403 || status === 404) {
      return explainRefusal(problem?.code ?? DEFAULT_CODES[status]);
    }
    if (status === 429) return "too many requests at the moment";
    if (status >= 500) return "the platform does not answer";
    return problem?.detail ?? problem?.title ?? `the platform answered ${status}`;
  }
  if (error instanceof DOMException && error.name === "TimeoutError") return "no answer in time";
  if (error instanceof TypeError) return "the platform cannot be reached";
  return "the answer could not be read";
}

const DEFAULT_CODES = { 401: "unauthenticated", 403: "forbidden", 404: "not-found" } as const;
