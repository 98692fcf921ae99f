import { randomUUID } from "node:crypto";
import { raise } from "@localstreet/contracts/raise";
import { nowMs } from "@localstreet/oracle/clock";
import { activityKey } from "@localstreet/oracle/ledger";
import { type KeptLine, keepLine } from "./kept-line.ts";
import { type Frame, type LeanSocket, openLeanSocket } from "./lean-socket.ts";
import { type Ledgers, SHOP, type ShopKit, socketUrl } from "./shop-kit.ts";

interface Person {
  readonly receiver: string;
  readonly token: string;
  readonly line: KeptLine;
  readonly socket: () => LeanSocket | undefined;
}

interface Conversation {
  readonly conversationId: string;
  readonly buyer: Person;
}

const PAGE_MESSAGES = 200;

/** Buyers who write to the shop, and the staff that answers. */
export async function openChats(
  kit: ShopKit,
  ledgers: Ledgers,
): Promise<{ lines: KeptLine[]; say(): void }> {
  const { name, vendorId } = kit;
  const url = socketUrl(kit.target, "/api/chat/ws");
  /** By buyer. */
  const conversations = new Map<string, Conversation>();
  const dashboards = Array.from(
    { length: SHOP.dashboards },
    (_, index) => `${name}-board-${index}`,
  );
  let said = 0;

  async function open(receiver: string, token: string): Promise<Person> {
    const localAddress = kit.nextAddress();
    /** By conversation: the `seq`s that this device has, and the highest without a hole. */
    const seen = new Map<string, Set<number>>();
    let socket: LeanSocket | undefined;
    let isFirst = true;

    function show(message: Frame): void {
      const conversationId = String(message.conversationId);
      const seq = Number(message.seq);
      const seqs = seen.get(conversationId) ?? new Set();
      seen.set(conversationId, seqs);
      if (seqs.has(seq)) {
        ledgers.chat.dropped(receiver, "known already");
        return;
      }
      seqs.add(seq);
      ledgers.chat.receive(receiver, {
        key: String(message.clientMessageId),
        id: String(message.messageId),
        seq,
        group: conversationId,
        atMs: nowMs(),
      });
    }

    /** What was said while the line was down (PROTOCOL.md C8). */
    async function catchUp(): Promise<void> {
      for (const [conversationId, seqs] of seen) {
        for (let more = true; more; ) {
          const path = `/api/chat/conversations/${conversationId}/messages?afterSeq=${Math.max(...seqs)}&limit=${PAGE_MESSAGES}`;
          const { body } = await kit.caller.call("GET", path, token);
          const messages = (body.messages ?? []) as Frame[];
          for (const message of messages) {
            // One's own are no news, but they have a number.
            if (message.senderId === receiver) seqs.add(Number(message.seq));
            else show(message);
          }
          more = body.more === true && messages.length > 0;
        }
      }
    }

    function onFrame(frame: Frame): void {
      const key = String(frame.clientMessageId);
      if (frame.type === "message") show(frame);
      else if (frame.type === "ack") {
        const atMs = nowMs();
        const group = String(frame.conversationId);
        const id = String(frame.messageId);
        ledgers.chat.acknowledge(key, { id, seq: Number(frame.seq), group, atMs });
        ledgers.dashboard.acknowledge(activityKey(key), { atMs });
        const seqs = seen.get(group) ?? new Set();
        seen.set(group, seqs.add(Number(frame.seq)));
        if (!conversations.has(receiver) && receiver !== staff?.receiver) {
          conversations.set(receiver, { conversationId: group, buyer: person });
        }
      }
    }

    const line = keepLine(kit.counts, (opened, ended) => {
      socket = openLeanSocket({
        url,
        token,
        localAddress,
        onOpen() {
          opened();
          if (!isFirst) catchUp().catch(raise);
          isFirst = false;
        },
        onFrame,
        onEnd: ended,
      });
      return socket;
    });
    const person: Person = { receiver, token, line, socket: () => socket };
    return person;
  }

  let staff: Person | undefined;
  const staffName = `${name}-clerk`;
  staff = await open(staffName, await kit.sign("vendor", staffName, [vendorId]));
  const buyers = await Promise.all(
    Array.from({ length: SHOP.buyers }, async (_, index) => {
      const receiver = `${name}-buyer-${index}`;
      return await open(receiver, await kit.sign("buyer", receiver));
    }),
  );
  const clerks = [staff.receiver];

  function send(from: Person, to: readonly string[], destination: object): void {
    const socket = from.socket();
    if (!socket?.isOpen) return;
    const key = randomUUID();
    const content = `${key} Is it ready yet?`;
    const atMs = nowMs();
    ledgers.chat.offer(key, { audience: to, atMs });
    ledgers.dashboard.offer(activityKey(key), { audience: dashboards, atMs, atMostOnce: true });
    socket.send({ type: "send-message", clientMessageId: key, content, ...destination });
  }

  return {
    lines: [staff.line, ...buyers.map(({ line }) => line)],
    say() {
      said += 1;
      const buyer = buyers[said % buyers.length] as Person;
      const conversation = conversations.get(buyer.receiver);
      const isAnswer = conversation !== undefined && said % (2 * buyers.length) < buyers.length;
      if (isAnswer) {
        const { conversationId } = conversation;
        send(staff as Person, [buyer.receiver], { conversationId });
      } else send(buyer, clerks, { to: vendorId });
    },
  };
}
