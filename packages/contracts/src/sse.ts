/**
 * Server-sent events as text (WHATWG HTML section 9.2.5). `data` may hold anything: each of CR, LF and CRLF ends a line
 * of the format, so each becomes a line of its own and the client reads one event with LF between them.
 */
export interface SseEvent {
  readonly event?: string;
  readonly id?: string;
  readonly retryMs?: number;
  readonly data?: string;
}

/** @throws {TypeError} when `event` or `id` holds a line break or NUL: they cannot be written. */
export function encodeSseEvent({ event, id, retryMs, data }: SseEvent): string {
  let text = "";
  if (retryMs !== undefined) text += `retry: ${Math.round(retryMs)}\n`;
  if (id !== undefined) text += `id: ${field(id)}\n`;
  if (event !== undefined) text += `event: ${field(event)}\n`;
  if (data !== undefined) {
    for (const line of data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`;
  }
  return `${text}\n`;
}

export const SSE_KEEPALIVE = ": keepalive\n\n";

function field(value: string): string {
  if (/[\r\n\0]/.test(value)) throw new TypeError("a field of an event holds a line break");
  return value;
}
