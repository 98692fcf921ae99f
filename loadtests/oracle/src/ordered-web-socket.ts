import { WebSocket } from "ws";

/**
 * Hands each frame over in a turn of its own, as browsers do. Otherwise frames that arrive together are handed over at
 * once, and whoever awaits the answer to a frame sees the push behind it first.
 */
export class OrderedWebSocket extends WebSocket {
  constructor(url: string) {
    super(url, { allowSynchronousEvents: false });
  }
}
