/**
 * What a connection is doing, told as it is. `open` is said only once the server has answered (`resume` on a stream,
 * `authenticated` on a socket), never because a TCP connection stands.
 */
export type ConnectionState =
  | { readonly phase: "connecting" }
  | { readonly phase: "open" }
  /** `nextAttemptAt` is the time of the next attempt as `Date.now()` counts it, in milliseconds. */
  | { readonly phase: "waiting"; readonly nextAttemptAt: number; readonly reason: string }
  /** For good: trying again would not help. `code` is one of the problem codes of the protocol. */
  | { readonly phase: "refused"; readonly code: string }
  /** By `close()`. */
  | { readonly phase: "closed" };
