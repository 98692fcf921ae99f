import { JetStreamApiError, JetStreamError } from "@nats-io/jetstream";
import {
  ClosedConnectionError,
  ConnectionError,
  DrainingConnectionError,
  errors,
  PermissionViolationError,
  RequestError,
  TimeoutError,
} from "@nats-io/transport-node";

/**
 * NATS could not be asked, or did not answer in time. Always worth another try. A publish that failed so may have been
 * stored all the same: send it again under the same `Nats-Msg-Id`.
 */
export class BusUnavailableError extends Error {
  override readonly name = "BusUnavailableError";
  readonly retryable = true;
}

/** What a failed call means to its caller: `BusUnavailableError` where waiting helps, else the error itself. */
export function toBusError(what: string, error: unknown): unknown {
  if (error instanceof BusUnavailableError || !isTransient(error)) return error;
  return new BusUnavailableError(`${what}: ${(error as Error).message}`, { cause: error });
}

function isTransient(error: unknown): boolean {
  if (error instanceof RequestError) return !(error.cause instanceof PermissionViolationError);
  if (error instanceof JetStreamApiError) {
    return error.status >= 500 || PASSING.has(error.code);
  }
  // Direct gets answer with statuses (408, 503); "not enabled" is what a request without any responder becomes.
  if (error instanceof JetStreamError) return true;
  return (
    error instanceof TimeoutError ||
    error instanceof ClosedConnectionError ||
    error instanceof DrainingConnectionError ||
    error instanceof ConnectionError ||
    error instanceof errors.NoRespondersError ||
    (error instanceof Error && error.name === "JetStreamNotEnabled")
  );
}

const PASSING = new Set([
  // A stream that does not exist yet is being created, or restored.
  10_059,
  // The account's storage is full: as with a full stream, room is made.
  10_002,
]);
