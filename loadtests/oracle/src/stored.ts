import { openEventStream, type StreamEvent } from "@localstreet/client/event-stream";
import { encodeEventId, NO_CHECK, parseEventId } from "@localstreet/contracts/event-id";
import type { ResumeEvent } from "@localstreet/contracts/vendor-events";
import { HistoryError, readMessages } from "./chat-history.ts";
import { type Ledger, orderKey, type StoredEntry } from "./ledger.ts";
import { readLifeEvent } from "./order-life.ts";
import type { Identity, Target } from "./target.ts";

/** Vendors that one token may act for. */
const VENDORS_OF_A_TOKEN = 200;
const READERS = 8;

/**
 * Asks the platform itself, through its public API, what it holds of the path, and tells the ledger: vendors' streams from
 * their beginning, or the history of each conversation that the ledger knows. What is not kept any more is not stored.
 *
 * @throws {Error} when the platform cannot be asked.
 */
export async function readStored(
  ledger: Ledger,
  { target, vendorIds }: { target: Target; vendorIds: readonly string[] },
): Promise<void> {
  if (ledger.path === "tracking") throw new Error("nothing of tracking is stored for long");
  ledger.startStored();
  const sources =
    ledger.path === "chat"
      ? ledger.groups.map((id) => () => storedMessages(target, id, vendorIds))
      : vendorIds.map((id) => () => storedOrders(target, id, (seq) => ledger.storeUpTo(id, seq)));
  const readers = Array.from({ length: READERS }, async () => {
    for (let source = sources.pop(); source; source = sources.pop()) {
      for await (const entry of source()) ledger.store(entry);
    }
  });
  await Promise.all(readers);
}

/** Everything that is kept of a vendor's events. @param isAllUpTo is told how far that is, in the end. */
export async function* storedOrders(
  target: Target,
  vendorId: string,
  isAllUpTo: (sequence: number) => void = () => {},
): AsyncGenerator<StoredEntry> {
  const { resume } = await readStream(target, vendorId, undefined);
  const now = parseEventId(resume.to);
  if (!now) throw new Error(`"${resume.to}" is no event id`);
  let lastEventId = encodeEventId({ epoch: now.epoch, sequence: 0, check: NO_CHECK });
  for (;;) {
    const page = await readStream(target, vendorId, lastEventId);
    for (const event of page.events) {
      yield event;
      lastEventId = event.id;
    }
    if (!page.isWhole) continue;
    isAllUpTo(parseEventId(page.resume.to)?.sequence ?? 0);
    return;
  }
}

interface StoredPage {
  readonly resume: ResumeEvent;
  readonly events: (StoredEntry & { readonly id: string })[];
  /** Whether these are all that there were. */
  readonly isWhole: boolean;
}

/** A stream that says that more follows than it counts is read until it is quiet for so long. */
const QUIET_MS = 500;
/** Without anything for so long it is given up. */
const SILENCE_MS = 15_000;

/** What a stream replays after `lastEventId`, or as much of it as comes in one go. */
function readStream(
  target: Target,
  vendorId: string,
  lastEventId: string | undefined,
): Promise<StoredPage> {
  // One person for all would be over what a person may do.
  const sub = `auditor-of-${vendorId}`;
  const identity = { role: "vendor", sub, vendors: [vendorId] } as const;
  return new Promise((resolve, reject) => {
    const events: StoredPage["events"] = [];
    let resume: ResumeEvent | undefined;
    let quiet: NodeJS.Timeout | undefined;
    const late = setTimeout(() => {
      finish(() => reject(new Error(`the stream of ${vendorId} could not be read`)));
    }, SILENCE_MS);
    const stream = openEventStream({
      url: `${target.url}/api/vendor/${vendorId}/notifications/stream`,
      token: () => target.tokenFor(identity),
      lastEventId,
      onEvent(event) {
        late.refresh();
        if (event.event === "resume") resume ??= JSON.parse(event.data) as ResumeEvent;
        const stored = readStoredEvent(event);
        if (stored) events.push(stored);
        if (resume) onProgress(resume);
      },
      onState(state) {
        if (state.phase !== "refused") return;
        finish(() => reject(new Error(`the stream of ${vendorId} was refused: ${state.code}`)));
      },
    });

    function onProgress(told: ResumeEvent): void {
      const due = told.status === "fresh" ? 0 : told.replayed;
      clearTimeout(quiet);
      if (due !== null && events.length >= due) done(told, true);
      else quiet = setTimeout(() => done(told, false), QUIET_MS);
    }

    function done(told: ResumeEvent, isWhole: boolean): void {
      // A replay that brings nothing would be asked for without end.
      finish(() => resolve({ resume: told, events, isWhole: isWhole || events.length === 0 }));
    }

    function finish(settle: () => void): void {
      clearTimeout(late);
      clearTimeout(quiet);
      stream.close();
      settle();
    }
  });
}

function readStoredEvent({
  event,
  data,
  id,
}: StreamEvent): (StoredEntry & { readonly id: string }) | null {
  if (event === "new-order") {
    const { vendorId, orderId } = JSON.parse(data) as { vendorId: string; orderId: string };
    return { key: orderKey(vendorId, orderId), id: id ?? "", group: vendorId };
  }
  const told = readLifeEvent(event, data, orderKey);
  return told && { ...told, id: id ?? "" };
}

/** The whole history of a conversation, read as staff of whichever of `vendorIds` it belongs to. */
export async function* storedMessages(
  target: Target,
  conversationId: string,
  vendorIds: readonly string[],
): AsyncGenerator<StoredEntry> {
  for (let start = 0; start < vendorIds.length; start += VENDORS_OF_A_TOKEN) {
    const vendors = vendorIds.slice(start, start + VENDORS_OF_A_TOKEN);
    const staff: Identity = { role: "vendor", sub: `auditor-of-${conversationId}`, vendors };
    try {
      for await (const message of readMessages(target, staff, conversationId, 0)) {
        const { clientMessageId, messageId, seq } = message;
        yield { key: clientMessageId, id: messageId, seq, group: conversationId };
      }
      return;
    } catch (error) {
      if (!(error instanceof HistoryError && error.code === "not-found")) throw error;
    }
  }
}
