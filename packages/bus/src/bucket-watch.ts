import { raise } from "@localstreet/contracts/raise";
import { Kvm, type KvWatchEntry } from "@nats-io/kv";
import type { QueuedIterator } from "@nats-io/transport-node";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { internalsOf } from "./internals.ts";
import { createRetryingTask } from "./retrying-task.ts";
import { readStreamInfo } from "./stream-reads.ts";

/**
 * Watches a whole bucket: first every key's newest value, then each change. The client's own recovery notices a lost
 * consumer after a minute only, so the watch starts over after every reconnect, and when it falls behind the newest
 * revision that the leader names. Resolves when the first snapshot is complete, however long that takes.
 */
export async function watchBucket(options: {
  bus: Bus;
  stream: string;
  bucket: string;
  checkMs: number;
  onEntry: (key: string, revision: number, data: Uint8Array) => void;
  /** The bucket was created anew: revisions begin again, before its first entry. */
  onNewHistory: () => void;
  /**
   * A snapshot is through, and these keys came with it. One that did not is gone, or was written meanwhile and is still
   * on its way: ask the leader. When that fails the watch starts over.
   */
  onSnapshot: (keys: ReadonlySet<string>) => Promise<void>;
}): Promise<{ close(): void }> {
  const { bus, stream, checkMs } = options;
  const { js, call, logger } = internalsOf(bus);
  const kv = await new Kvm(js).open(options.bucket);
  let created: string | undefined;
  let entries: QueuedIterator<KvWatchEntry> | undefined;
  let seenRevision = 0;
  let revisionAtLastCheck = -1;
  let expectedRevision = 0;
  let closed = false;
  let onReady = () => {};
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });

  function stopCurrent(): void {
    const current = entries;
    // Before it ends, so that its end is not taken for a loss.
    entries = undefined;
    current?.stop();
  }

  async function start(): Promise<void> {
    stopCurrent();
    const info = await readStreamInfo(bus, stream);
    if (created !== undefined && created !== info.created) options.onNewHistory();
    created = info.created;
    const started = await call("watch the bucket", () => kv.watch());
    if (closed) return started.stop();
    entries = started;
    seenRevision = 0;
    expectedRevision = 0;
    consume(started, info.state.last_seq, info.state.messages === 0).catch(raise);
  }

  async function consume(
    source: QueuedIterator<KvWatchEntry>,
    snapshotRevision: number,
    isEmpty: boolean,
  ): Promise<void> {
    let keys: Set<string> | null = new Set();
    const complete = () => {
      if (!keys) return;
      options.onSnapshot(keys).catch(() => source === entries && task.request());
      keys = null;
      seenRevision = Math.max(seenRevision, snapshotRevision);
      onReady();
    };
    if (isEmpty) complete();
    for await (const entry of source) {
      if (source !== entries) return;
      keys?.add(entry.key);
      options.onEntry(entry.key, entry.revision, entry.value);
      seenRevision = entry.revision;
      if (entry.revision >= snapshotRevision || entry.delta === 0) complete();
    }
    if (source === entries && !closed) task.request();
  }

  /** Starts over when what the leader had at the last check has not come since. */
  async function check(): Promise<void> {
    const info = await readStreamInfo(bus, stream);
    const newest = info.state.last_seq;
    const isStuck = seenRevision < expectedRevision && seenRevision === revisionAtLastCheck;
    if (info.created !== created || newest < seenRevision || isStuck) {
      logger.warn({ stream, seenRevision, newest }, "the watch has lost its place, starting over");
      task.request();
    }
    expectedRevision = newest;
    revisionAtLastCheck = seenRevision;
  }

  const task = createRetryingTask({ bus, logger, what: `watch of ${stream}`, run: start });
  const stopListening = bus.onReconnect(() => task.request());
  const timer = setInterval(() => {
    check().catch((error: unknown) => {
      if (!(error instanceof BusUnavailableError)) throw error;
    });
  }, checkMs);
  timer.unref();
  task.request();
  await ready;
  return {
    close() {
      closed = true;
      clearInterval(timer);
      stopListening();
      task.stop();
      stopCurrent();
    },
  };
}
