import type { ChatSide, Conversation } from "@localstreet/contracts/chat";
import type { ConversationId, OrderId, VendorId } from "@localstreet/contracts/ids";
import { Problem } from "@localstreet/contracts/problem";
import type { ChatStore } from "@localstreet/db/chat-store";
import type { Principal } from "@localstreet/service-kit/auth";
import { requireToken, type SharedRate } from "@localstreet/service-kit/shared-rate";
import { LRUCache } from "lru-cache";

/** The part of a conversation that never changes. */
export type Sides = Pick<Conversation, "conversationId" | "buyerId" | "vendorId">;

/** Which side of the conversation the principal is on; `null` for none. */
export function sideOf(principal: Principal, sides: Sides): Exclude<ChatSide, "system"> | null {
  if (principal.role === "buyer" && principal.personId === sides.buyerId) return "buyer";
  if (principal.role === "vendor" && principal.vendors.has(sides.vendorId)) return "vendor";
  return null;
}

export interface Membership {
  /** @throws {Problem} `not-found` when there is no such conversation, or the principal is on neither side (A6). */
  requireSide(
    principal: Principal,
    conversationId: ConversationId,
  ): Promise<{ sides: Sides; side: Exclude<ChatSide, "system"> }>;
  /**
   * The conversation of this buyer with the vendor, opened when there is none (PROTOCOL.md C2).
   *
   * @throws {Problem} `rate-limited` when the buyer opens too many (C7).
   */
  openWith(buyer: Principal, vendorId: VendorId, orderId: OrderId | undefined): Promise<Sides>;
}

/** Remembers the sides of the `cacheSize` conversations used last. `rate` is that at which a buyer opens new ones. */
export function createMembership(
  store: ChatStore,
  rate: SharedRate,
  cacheSize = 50_000,
): Membership {
  const byId = new LRUCache<ConversationId, Sides>({ max: cacheSize });
  const bySides = new LRUCache<string, Sides>({ max: cacheSize });

  function remember({ conversationId, buyerId, vendorId }: Conversation): Sides {
    const sides = { conversationId, buyerId, vendorId };
    byId.set(conversationId, sides);
    bySides.set(`${buyerId} ${vendorId}`, sides);
    return sides;
  }

  async function find(conversationId: ConversationId): Promise<Sides | null> {
    const known = byId.get(conversationId);
    if (known) return known;
    const conversation = await store.conversation(conversationId);
    return conversation && remember(conversation);
  }

  return {
    async requireSide(principal, conversationId) {
      const sides = await find(conversationId);
      const side = sides && sideOf(principal, sides);
      if (!sides || !side) throw new Problem("not-found");
      return { sides, side };
    },
    async openWith(buyer, vendorId, orderId) {
      const buyerId = buyer.personId;
      const known = bySides.get(`${buyerId} ${vendorId}`);
      if (known) return known;
      // One that is there already counts as well, once on each replica: only the table knows that it is there.
      await requireToken(rate, buyerId);
      const { conversation } = await store.openConversation({ buyerId, vendorId, orderId });
      return remember(conversation);
    },
  };
}
