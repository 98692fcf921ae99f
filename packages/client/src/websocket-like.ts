/** What the SDK uses of a WebSocket: the browser's own, Node's from 22 on, or the package `ws`. */
export interface WebSocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { code: number; reason: string }) => void,
  ): void;
}

export type WebSocketClass = new (url: string) => WebSocketLike;

/** @throws {TypeError} when there is none: Node 20 needs the class of the package `ws` passed in. */
export function findWebSocketClass(given: WebSocketClass | undefined): WebSocketClass {
  const found = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (!found) throw new TypeError("no WebSocket here: pass the one of the package ws");
  return found;
}
