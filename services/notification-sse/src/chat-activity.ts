import type { Bus } from "@localstreet/bus/connection";
import { chatMessageSchema } from "@localstreet/contracts/chat";
import type { ActivityEvent } from "@localstreet/contracts/dashboard";
import type { VendorId } from "@localstreet/contracts/ids";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import { liveChatSubject } from "@localstreet/contracts/subjects";
import { createAudience } from "@localstreet/fanout/audience";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { z } from "zod";

type Send = (frame: Buffer) => void;

export interface ChatActivity {
  /** Sends an `activity` frame for each of the vendor's chat messages from now on. @returns the end of it. */
  follow(vendorId: VendorId, send: Send): () => void;
}

const TEXT_CHARACTERS = 120;
const signalSchema = z.object({ message: chatMessageSchema });

/** Chat messages as lines of the dashboard (PROTOCOL.md S12). One subscription for each vendor with a dashboard here. */
export function openChatActivity({ logger }: ServiceKit, bus: Bus): ChatActivity {
  const subscriptions = new Map<VendorId, { unsubscribe(): void }>();
  const audience = createAudience<VendorId, Send>({
    onFirst(vendorId) {
      const subject = liveChatSubject({ kind: "vendor", vendorId });
      subscriptions.set(
        vendorId,
        bus.subscribe(subject, ({ data }) => {
          const frame = activityFrame(data);
          if (!frame) {
            logger.warn({ subject }, "a chat signal was not understood");
            return;
          }
          for (const send of audience.of(vendorId)) send(frame);
        }),
      );
    },
    onLast(vendorId) {
      subscriptions.get(vendorId)?.unsubscribe();
      subscriptions.delete(vendorId);
    },
  });
  return {
    follow(vendorId, send) {
      audience.join(vendorId, send);
      return () => audience.leave(vendorId, send);
    },
  };
}

function activityFrame(data: Uint8Array): Buffer | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data).toString());
  } catch {
    return null;
  }
  const signal = signalSchema.safeParse(value);
  if (!signal.success) return null;
  const { message } = signal.data;
  const activity: ActivityEvent = {
    kind: "chat",
    at: message.createdAt,
    conversationId: message.conversationId,
    side: message.side,
    text: [...message.content].slice(0, TEXT_CHARACTERS).join(""),
  };
  return Buffer.from(encodeSseEvent({ event: "activity", data: JSON.stringify(activity) }));
}
