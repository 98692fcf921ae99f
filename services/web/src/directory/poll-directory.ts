import { raise } from "@localstreet/contracts/raise";
import { fetchJson } from "../fetch-json.ts";
import { HttpError } from "../http-error.ts";
import type { Session } from "../session.ts";
import { createStore } from "../store.ts";
import { type DirectoryFile, directoryFileSchema } from "./directory.ts";

/**
 * `loading` before the first answer; `absent` when the platform runs without a simulator; `unreachable` when nobody
 * answers, with the last file that was read, if any.
 */
export type DirectoryState =
  | { readonly phase: "loading" | "absent"; readonly file: null }
  | { readonly phase: "present"; readonly file: DirectoryFile }
  | { readonly phase: "unreachable"; readonly file: DirectoryFile | null };

export const DIRECTORY_LOADING: DirectoryState = { phase: "loading", file: null };

const POLL_MS = 2_000;

export interface DirectoryPolling extends Session<DirectoryState> {
  /** Reads it at once, and says what it holds now; `null` when there is none. */
  readAgain(): Promise<DirectoryFile | null>;
}

/** Reads `/demo/directory.json` now and every two seconds. */
export function pollDirectory(): DirectoryPolling {
  const store = createStore<DirectoryState>(DIRECTORY_LOADING);
  const closing = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function read(): Promise<DirectoryState> {
    try {
      const file = await fetchJson("/demo/directory.json", directoryFileSchema, {
        signal: closing.signal,
      });
      const known = store.get().file;
      return known?.updatedAt === file.updatedAt
        ? { phase: "present", file: known }
        : { phase: "present", file };
    } catch (error) {
      if (error instanceof HttpError && error.status === 404)
        return { phase: "absent", file: null };
      return { phase: "unreachable", file: store.get().file };
    }
  }

  async function readAgain(): Promise<DirectoryFile | null> {
    const next = await read();
    if (closing.signal.aborted) return null;
    const known = store.get();
    if (known.phase !== next.phase || known.file !== next.file) store.set(next);
    return next.file;
  }

  async function poll(): Promise<void> {
    await readAgain();
    if (!closing.signal.aborted) timer = setTimeout(pollAlone, POLL_MS);
  }
  function pollAlone(): void {
    poll().catch(raise);
  }
  pollAlone();

  return {
    store,
    readAgain,
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}
