import type { ChatServerFrame, SendMessageFrameInput } from "@localstreet/contracts/chat";
import type {
  TrackingServerFrame,
  UnwatchDeliveryFrameInput,
  WatchDeliveryFrameInput,
} from "@localstreet/contracts/tracking";

export type ServerFrame = ChatServerFrame | TrackingServerFrame;
type ServerFrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;

/** What can be asked over a socket, and the frame that answers it. `ref` is the socket's own business. */
interface Requests {
  "send-message": { frame: Omit<SendMessageFrameInput, "ref">; reply: ServerFrameOf<"ack"> };
  "watch-delivery": {
    frame: Omit<WatchDeliveryFrameInput, "ref">;
    reply: ServerFrameOf<"watching">;
  };
  "unwatch-delivery": {
    frame: Omit<UnwatchDeliveryFrameInput, "ref">;
    reply: ServerFrameOf<"unwatched">;
  };
}
/** The type of each answer. */
export const REPLY_TYPES: { readonly [T in RequestType]: Requests[T]["reply"]["type"] } = {
  "send-message": "ack",
  "watch-delivery": "watching",
  "unwatch-delivery": "unwatched",
};
export type RequestType = keyof Requests;
export type RequestFrame<T extends RequestType> = Requests[T]["frame"] & { type: T };
export type ReplyFrame<T extends RequestType> = Requests[T]["reply"];

/** What the server sends of its own accord and the application cares about. */
export type PushFrame = ServerFrameOf<"message" | "location-update" | "delivery-updated" | "error">;
