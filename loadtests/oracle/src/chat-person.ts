import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionState } from "@localstreet/client/connection-state";
import { openSocket, type ReplyFrame, SocketError } from "@localstreet/client/socket";
import { raise } from "@localstreet/contracts/raise";
import { ChatInbox, heardOf, type Sides } from "./chat-inbox.ts";
import { nowMs } from "./clock.ts";
import { createGate } from "./gate.ts";
import { jitteredMs } from "./jitter.ts";
import { activityKey, type Ledger } from "./ledger.ts";
import { OrderedWebSocket } from "./ordered-web-socket.ts";
import type { Identity, Target } from "./target.ts";

export interface ChatPerson {
  readonly receiver: string;
  readonly state: ConnectionState;
  /** Connections that were opened. */
  readonly connections: number;
  /**
   * Sends a message until it is acknowledged or refused, always under the same id. Staff answer in conversations that are
   * there; a buyer opens one with its first message.
   */
  say(sides: Sides, text?: string): Promise<"acknowledged" | "refused">;
  /** Resolves when it is connected and knows its conversations; rejects when refused or after `timeoutMs` (15 s). */
  opened(timeoutMs?: number): Promise<void>;
  close(): void;
}

export interface ChatPersonOptions {
  target: Target;
  ledger: Ledger;
  /** Its name in the ledger, which no other client has. */
  receiver: string;
  /** A buyer, or staff of `vendors`. */
  identity: Identity;
  /** Each message is offered here too, as a line of activity for who listens to its vendor. */
  dashboard?: Ledger;
  /** How long one message is tried. 60 s when absent. */
  giveUpMs?: number;
  /** 500 when absent. */
  fillAfterMs?: number;
  backoffMs?: { base: number; cap: number };
  onState?: (state: ConnectionState) => void;
}

/** One device of somebody who chats: it comes back by itself, fetches what it missed, and shows each message once, in order. */
export function openChatPerson(options: ChatPersonOptions): ChatPerson {
  const { target, ledger, receiver, identity, dashboard, giveUpMs = 60_000 } = options;
  const { role, sub } = identity;
  const scopes =
    role === "buyer" ? [buyerScope(sub)] : (identity.vendors ?? []).map((id) => vendorScope(id));
  const gate = createGate(`the chat of ${receiver}`);
  let connections = 0;
  let isClosed = false;
  for (const scope of scopes) ledger.admit(receiver, scope);

  const inbox = new ChatInbox({
    target,
    as: identity,
    fillAfterMs: options.fillAfterMs ?? 500,
    onShow(conversationId, { key, messageId, seq }) {
      ledger.receive(receiver, { key, id: messageId, seq, group: conversationId, atMs: nowMs() });
    },
    onMend: (mend) => ledger.dropped(receiver, mend),
  });

  const socket = openSocket({
    url: `${target.socketUrl}/api/chat/ws`,
    token: () => target.tokenFor(identity),
    WebSocket: OrderedWebSocket,
    onFrame(frame) {
      if (frame.type === "message") inbox.push(frame.conversationId, heardOf(frame));
    },
    onState(state) {
      if (state.phase === "open") {
        connections += 1;
        inbox.connectionOpened();
        synchronize(connections).catch(raise);
      }
      if (state.phase === "refused") gate.refuse(state.code);
      options.onState?.(state);
    },
    ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
  });

  async function synchronize(connection: number): Promise<void> {
    for (
      let failures = 0;
      connection === connections && socket.state.phase === "open";
      failures++
    ) {
      try {
        await inbox.synchronize();
        if (isClosed) return;
        for (const scope of scopes) ledger.join(receiver, scope);
        gate.open();
        return;
      } catch {
        await sleep(jitteredMs(failures));
      }
    }
  }

  /** @throws {SocketError} `not-found` when there is no conversation that staff could answer in. */
  async function destinationOf(sides: Sides) {
    if (role === "buyer") return { to: sides.vendorId };
    const conversationId = await inbox.conversationId(sides).catch(() => {
      throw new SocketError("not-connected", "the conversations could not be listed", true);
    });
    if (conversationId === undefined) {
      throw new SocketError("not-found", "no such conversation", false);
    }
    return { conversationId };
  }

  /** @throws {SocketError} */
  async function send(sides: Sides, clientMessageId: string, text: string): Promise<void> {
    const destination = await destinationOf(sides);
    const ack: ReplyFrame<"send-message"> = await socket.send({
      type: "send-message",
      clientMessageId,
      content: `${clientMessageId} ${text}`,
      ...destination,
    } as Parameters<typeof socket.send<"send-message">>[0]);
    const { messageId, seq } = ack;
    ledger.acknowledge(clientMessageId, {
      id: messageId,
      seq,
      group: ack.conversationId,
      atMs: nowMs(),
    });
    inbox.sent(sides, ack.conversationId, { key: clientMessageId, messageId, seq });
  }

  function offer(sides: Sides, clientMessageId: string): void {
    const parties = [buyerScope(sides.buyerId), vendorScope(sides.vendorId)];
    const audience = parties.flatMap((party) => ledger.membersOf(party));
    ledger.offer(clientMessageId, { audience, scopes: parties, atMs: nowMs() });
    dashboard?.offer(activityKey(clientMessageId), {
      audience: dashboard.membersOf(sides.vendorId),
      scopes: [sides.vendorId],
      atMs: nowMs(),
      atMostOnce: true,
    });
  }

  return {
    receiver,
    get state() {
      return socket.state;
    },
    get connections() {
      return connections;
    },
    async say(sides, text = "Is it ready yet?") {
      const clientMessageId = randomUUID();
      const startedAtMs = performance.now();
      let mayExist = false;
      offer(sides, clientMessageId);
      for (let failures = 0; ; failures++) {
        try {
          await send(sides, clientMessageId, text);
          dashboard?.acknowledge(activityKey(clientMessageId), { atMs: nowMs() });
          return "acknowledged";
        } catch (error) {
          if (!(error instanceof SocketError)) throw error;
          const { code, retryable, retryAfterMs } = error;
          mayExist ||= retryable && code !== "not-connected" && code !== "rate-limited";
          const waitMs = jitteredMs(failures, retryAfterMs);
          const isTimeUp = performance.now() - startedAtMs + waitMs > giveUpMs;
          if (!retryable || isTimeUp || isClosed) {
            ledger.refuse(clientMessageId, { code, mayExist });
            dashboard?.refuse(activityKey(clientMessageId), { code, mayExist });
            return "refused";
          }
          await sleep(waitMs);
        }
      }
    },
    opened: (timeoutMs = 15_000) => gate.opened(timeoutMs),
    close() {
      isClosed = true;
      for (const scope of scopes) ledger.leave(receiver, scope);
      inbox.close();
      socket.close();
    },
  };
}

/** What the devices of a buyer join in a chat ledger. */
function buyerScope(buyerId: string): string {
  return `buyer ${buyerId}`;
}

function vendorScope(vendorId: string): string {
  return `vendor ${vendorId}`;
}
