import { openSocket, type PushFrame, SocketError } from "@localstreet/client/socket";
import { raise } from "@localstreet/contracts/raise";
import { WebSocket } from "ws";
import type { Api } from "./api.ts";
import type { Clock } from "./clock.ts";
import type { Counts } from "./counts.ts";
import type { Identity, TokenDesk } from "./tokens.ts";

export type HeardMessage = Extract<PushFrame, { type: "message" }>;
export type Destination = { conversationId: string } | { to: string; orderId: string };

/** One device that chats. */
export interface ChatDevice {
  /** Sends until it is acknowledged, always under the same id; gives up on a refusal. */
  say(destination: Destination, content: string): Promise<void>;
  close(): void;
}

export interface Chats {
  connect(identity: Identity, onMessage: (message: HeardMessage) => Promise<void>): ChatDevice;
}

/** `runId` keeps the ids of two runs over the same data apart. */
export function openChats(options: {
  api: Api;
  clock: Clock;
  tokens: TokenDesk;
  counts: Counts;
  runId: string;
  log(line: string): void;
}): Chats {
  const { clock, tokens, counts } = options;
  const url = `${options.api.gateway.replace(/^http/, "ws")}/api/chat/ws`;
  let messageNumber = 0;

  return {
    connect(identity, onMessage) {
      const socket = openSocket({
        url,
        token: () => tokens.tokenFor(identity),
        WebSocket,
        onFrame(frame) {
          if (frame.type !== "message") return;
          counts.messagesHeard += 1;
          onMessage(frame).catch(raise);
        },
      });
      return {
        async say(destination, content) {
          const clientMessageId = `m-${options.runId}-${++messageNumber}`;
          const frame = { type: "send-message" as const, clientMessageId, content, ...destination };
          while (!clock.stopped.aborted && socket.state.phase !== "closed") {
            try {
              await socket.send(frame);
              counts.messages += 1;
              return;
            } catch (error) {
              if (!(error instanceof SocketError)) throw error;
              if (!error.retryable) {
                counts.refused += 1;
                options.log(`a message was refused: ${error.code} ${error.message}`);
                return;
              }
              // Not being connected yet is no failure.
              if (error.code !== "not-connected") counts.retries += 1;
              await clock.waitMs(error.retryAfterMs ?? 300);
            }
          }
        },
        close: () => socket.close(),
      };
    },
  };
}
