import { eventId } from "@localstreet/bus/log-position";
import type { StoredEvent } from "@localstreet/bus/subject-log";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter } from "prom-client";

export interface VendorFrames {
  /**
   * The event as a frame of server-sent events, encoded once for all streams of this replica. `null` for a message that
   * has no `Nats-Msg-Id` of ours: something else than `publishVendorEvent` wrote it, and what it means is unknown.
   *
   * @param epoch of the log that the event was read from.
   */
  frameOf(event: StoredEvent, epoch: string): Buffer | null;
}

const LINE_BREAK = /[\r\n]/;
const END = Buffer.from("\n\n");

export function createVendorFrames({ metrics }: Pick<ServiceKit, "metrics">): VendorFrames {
  // The feed hands the same object to every follower, and to those who come back while it remembers it.
  const encoded = new WeakMap<StoredEvent, Buffer | null>();
  const foreign = new Counter({
    name: "localstreet_foreign_events_total",
    help: "Messages in the vendors' log that are no events and were not delivered",
    registers: [metrics],
  });

  function encode(event: StoredEvent, epoch: string): Buffer | null {
    const { kind } = event;
    if (kind === null) {
      foreign.inc();
      return null;
    }
    const id = eventId(epoch, event);
    const data = Buffer.from(event.data.buffer, event.data.byteOffset, event.data.byteLength);
    // JSON text needs no line break; one that was published with some must not end the data early.
    if (LINE_BREAK.test(data.toString("latin1"))) {
      return Buffer.from(encodeSseEvent({ id, event: kind, data: data.toString() }));
    }
    const head = `id: ${id}\nevent: ${kind}\ndata: `;
    // Memory of its own: a frame that is kept must not keep a shared pool with it.
    const frame = Buffer.allocUnsafeSlow(head.length + data.length + END.length);
    frame.write(head, "latin1");
    frame.set(data, head.length);
    frame.set(END, head.length + data.length);
    return frame;
  }

  return {
    frameOf(event, epoch) {
      let frame = encoded.get(event);
      if (frame === undefined) {
        frame = encode(event, epoch);
        encoded.set(event, frame);
      }
      return frame;
    },
  };
}
