import { problemDetailsSchema } from "@localstreet/contracts/problem";
import type { z } from "zod";
import { HttpError } from "./http-error.ts";

const TIMEOUT_MS = 10_000;

/** A token, or a function that gives the newest one; told which one was refused, it looks for a newer one. */
export type PageToken = string | ((refused?: string) => string | Promise<string>);

interface FetchOptions {
  signal?: AbortSignal;
  post?: unknown;
}

/**
 * Fetches JSON and checks it; with `post`, posts that as JSON and checks the answer. A 401 is followed by one more request
 * when there is a newer token.
 *
 * @throws {HttpError} for any status but 2xx; a `ZodError` or `SyntaxError` for another shape; a `TypeError` or
 * `TimeoutError` when the server cannot be reached.
 */
export async function fetchJson<S extends z.ZodType>(
  url: string,
  schema: S,
  options: FetchOptions & { token?: PageToken } = {},
): Promise<z.infer<S>> {
  const { token } = options;
  if (typeof token !== "function") return await fetchOnce(url, schema, token, options);
  const first = await token();
  try {
    return await fetchOnce(url, schema, first, options);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 401) throw error;
    const newer = await token(first);
    if (newer === first) throw error;
    return await fetchOnce(url, schema, newer, options);
  }
}

async function fetchOnce<S extends z.ZodType>(
  url: string,
  schema: S,
  token: string | undefined,
  { signal, post }: FetchOptions,
): Promise<z.infer<S>> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, {
    headers: {
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(post === undefined ? {} : { "Content-Type": "application/json" }),
    },
    ...(post === undefined ? {} : { method: "POST", body: JSON.stringify(post) }),
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    cache: "no-cache",
  });
  if (!response.ok) throw await readRefusal(response);
  return schema.parse(await response.json());
}

async function readRefusal(response: Response): Promise<HttpError> {
  // A proxy refuses with a page of its own.
  const body: unknown = await response.json().catch(() => null);
  const problem = problemDetailsSchema.safeParse(body);
  const seconds = Number(response.headers.get("Retry-After") || Number.NaN);
  const retryAfterMs = seconds >= 0 ? seconds * 1_000 : undefined;
  return new HttpError(response.status, problem.success ? problem.data : null, retryAfterMs);
}
