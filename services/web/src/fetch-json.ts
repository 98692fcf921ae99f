import type { z } from "zod";

const TIMEOUT_MS = 10_000;

/** The server answered, but not with what was asked for. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

/**
 * Fetches JSON and checks it; with `post`, posts that as JSON and checks the answer.
 *
 * @throws {HttpError} for any status but 2xx; a `ZodError` or `SyntaxError` for another shape; a `TypeError` or
 * `TimeoutError` when the server cannot be reached.
 */
export async function fetchJson<S extends z.ZodType>(
  url: string,
  schema: S,
  options: { token?: string; signal?: AbortSignal; post?: unknown } = {},
): Promise<z.infer<S>> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const { token, post } = options;
  const response = await fetch(url, {
    headers: {
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(post === undefined ? {} : { "Content-Type": "application/json" }),
    },
    ...(post === undefined ? {} : { method: "POST", body: JSON.stringify(post) }),
    signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    cache: "no-cache",
  });
  if (!response.ok) throw new HttpError(response.status);
  return schema.parse(await response.json());
}
