import { raise } from "@localstreet/contracts/raise";
import type { ChatDevice, Chats } from "./chat.ts";
import type { Clock } from "./clock.ts";
import { openingLine, replyTo } from "./lines.ts";
import type { Random } from "./random.ts";
import type { Identity } from "./tokens.ts";
import type { Buyer, Vendor } from "./town.ts";

export interface BuyerAtHome {
  /** Asks the shop something about an order, and answers until all is said. */
  askAbout(vendor: Vendor, orderId: string): void;
  close(): void;
}

/** Seconds of the town's time after the last word until a buyer puts the phone away. */
const PATIENCE_SECONDS = 40;

/** A buyer's phone: connected while there is something to talk about. */
export function settleBuyer(
  buyer: Buyer,
  world: { chats: Chats; clock: Clock; random: Random },
): BuyerAtHome {
  const { clock } = world;
  const random = world.random.fork(buyer.buyerId);
  let phone: ChatDevice | undefined;
  let lastWord = 0;

  function close(): void {
    phone?.close();
    phone = undefined;
  }

  async function say(...words: Parameters<ChatDevice["say"]>): Promise<void> {
    const word = ++lastWord;
    await phone?.say(...words);
    await clock.pass(PATIENCE_SECONDS);
    if (word === lastWord) close();
  }

  return {
    askAbout(vendor, orderId) {
      phone ??= world.chats.connect(buyerIdentity(buyer), async (message) => {
        if (message.side !== "vendor") return;
        const reply = replyTo(message.content, "buyer", random);
        if (reply === null) return;
        await clock.pass(random.between(2, 6));
        await say({ conversationId: message.conversationId }, reply);
      });
      say({ to: vendor.vendorId, orderId }, openingLine(random)).catch(raise);
    },
    close,
  };
}

export function buyerIdentity(buyer: Buyer): Identity {
  return { sub: buyer.buyerId, role: "buyer" };
}
