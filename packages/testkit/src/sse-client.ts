import { createArrivals } from "./arrivals.ts";

/** An event as a browser would see it. */
export interface StreamEvent {
  /** `message` when the stream names none. */
  readonly event: string;
  /** The last id that the stream set, `""` before the first. */
  readonly id: string;
  readonly data: string;
}

export interface EventStream {
  readonly response: Response;
  readonly events: readonly StreamEvent[];
  /** Comment lines, without their colon and space. */
  readonly comments: readonly string[];
  /** Every `retry:` so far, in milliseconds. */
  readonly retries: readonly number[];
  /** The bytes so far as text, for tests of the format itself. */
  readonly text: string;
  next(matches?: (event: StreamEvent) => boolean, timeoutMs?: number): Promise<StreamEvent>;
  /** Resolves when the server has ended the stream or the connection broke. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Opens a stream and reads it as a browser does. The answer may also be an error: look at `response`. */
export async function openEventStream(
  url: string | URL,
  options: { token?: string; lastEventId?: string; headers?: Record<string, string> } = {},
): Promise<EventStream> {
  const abort = new AbortController();
  const response = await fetch(url, {
    signal: abort.signal,
    headers: {
      accept: "text/event-stream",
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.lastEventId === undefined ? {} : { "last-event-id": options.lastEventId }),
      ...options.headers,
    },
  });
  const arrivals = createArrivals<StreamEvent>(`stream ${url}`);
  const comments: string[] = [];
  const retries: number[] = [];
  let text = "";

  let event = "";
  let id = "";
  let data: string[] = [];
  function readLine(line: string): void {
    if (line === "") {
      if (data.length > 0) arrivals.push({ event: event || "message", id, data: data.join("\n") });
      event = "";
      data = [];
      return;
    }
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "") comments.push(value);
    else if (field === "event") event = value;
    else if (field === "data") data.push(value);
    else if (field === "retry" && /^\d+$/.test(value)) retries.push(Number(value));
    else if (field === "id" && !value.includes("\0")) id = value;
  }

  async function read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const chunk of response.body ?? []) {
        const piece = decoder.decode(chunk, { stream: true });
        text += piece;
        const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
        rest = lines.pop() as string;
        for (const line of lines) readLine(line);
      }
      arrivals.end("the stream has ended");
    } catch (error) {
      arrivals.end(`the connection broke: ${error}`);
    }
  }

  return {
    response,
    events: arrivals.all,
    comments,
    retries,
    get text() {
      return text;
    },
    next: arrivals.next,
    ended: read(),
    close: () => abort.abort(),
  };
}
