/** One event as it was written: `id` is its own id, or `null` when it has none. */
export interface StreamEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: string;
}

export interface SseParser {
  /** @throws {RangeError} when an event is longer than the limit. */
  push(bytes: Uint8Array): void;
}

/** Characters of one event, finished or not. */
const MAX_EVENT_CHARS = 1024 * 1024;

/**
 * A parser of event streams (WHATWG HTML section 9.2.6) for bytes as they arrive, however they are cut. An event that
 * the stream's end leaves unfinished is dropped, as the standard says: it comes again when the stream is resumed.
 */
export function createSseParser(handlers: {
  onEvent(event: StreamEvent): void;
  /** An id of an event without data, which the standard dispatches to nobody but remembers. */
  onId(id: string): void;
  onRetry(retryMs: number): void;
}): SseParser {
  // It drops a byte order mark at the start, and holds back a character that is cut in two.
  const decoder = new TextDecoder();
  let line = "";
  let skipLineFeed = false;
  let event = "";
  let id: string | null = null;
  let data: string[] = [];
  let chars = 0;

  function dispatch(): void {
    const finished = { event: event || "message", id, data: data.join("\n") };
    const hasData = data.length > 0;
    event = "";
    id = null;
    data = [];
    chars = 0;
    if (hasData) handlers.onEvent(finished);
    else if (finished.id !== null) handlers.onId(finished.id);
  }

  function readLine(text: string): void {
    if (text === "") {
      dispatch();
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? text : text.slice(0, colon);
    let value = colon < 0 ? "" : text.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") {
      data.push(value);
      chars += value.length + 1;
    } else if (field === "event") event = value;
    else if (field === "id") {
      if (!value.includes("\0")) id = value;
    } else if (field === "retry" && /^[0-9]+$/.test(value)) handlers.onRetry(Number(value));
  }

  return {
    push(bytes) {
      const text = decoder.decode(bytes, { stream: true });
      let start = 0;
      if (skipLineFeed && text.length > 0) {
        if (text.startsWith("\n")) start = 1;
        skipLineFeed = false;
      }
      const lineEnd = /\r\n|\r|\n/g;
      lineEnd.lastIndex = start;
      for (let match = lineEnd.exec(text); match; match = lineEnd.exec(text)) {
        const whole = line + text.slice(start, match.index);
        line = "";
        start = lineEnd.lastIndex;
        // The line ends here and now; a line feed that the next bytes begin with belongs to it.
        skipLineFeed = match[0] === "\r" && start === text.length;
        readLine(whole);
      }
      line += text.slice(start);
      if (chars + line.length > MAX_EVENT_CHARS) throw new RangeError("an event is too long");
    },
  };
}
