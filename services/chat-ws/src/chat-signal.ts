import { chatMessageSchema } from "@localstreet/contracts/chat";
import { personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { z } from "zod";

/** What a replica tells the others of a message that it committed, on `live.chat.<party>` of both sides. */
export const chatSignalSchema = z.object({
  /** The session that sent it, which has its `ack` and needs no push. */
  origin: z.string().nullable(),
  buyerId: personIdSchema,
  vendorId: vendorIdSchema,
  message: chatMessageSchema,
});
export type ChatSignal = z.infer<typeof chatSignalSchema>;

/** @returns `null` for what is none. */
export function parseChatSignal(data: Uint8Array): ChatSignal | null {
  try {
    return chatSignalSchema.parse(JSON.parse(Buffer.from(data).toString()));
  } catch {
    return null;
  }
}
