import type { ChatSide } from "@localstreet/contracts/chat";
import type { ClientMessageId } from "@localstreet/contracts/ids";
import { useLayoutEffect, useRef } from "react";
import type { Outgoing } from "./chat-session.ts";
import type { ThreadMessage } from "./thread.ts";

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
/** Nearer to the end than this, new messages scroll into view. Pixels. */
const NEAR_END_PIXELS = 80;

export function MessageList(props: {
  side: ChatSide;
  otherName: string;
  messages: readonly ThreadMessage[];
  outgoing: readonly Outgoing[];
  connected: boolean;
  note: string | null;
  onDiscard(clientMessageId: ClientMessageId): void;
}) {
  const { side, otherName, messages, outgoing, connected, note, onDiscard } = props;
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  const count = messages.length + outgoing.length;
  // Runs for each message that comes, whatever made the list render.
  useLayoutEffect(() => {
    const element = list.current;
    if (count > 0 && element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [count]);

  return (
    <ol
      className="messages"
      ref={list}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard.
      tabIndex={0}
      aria-label={`Messages with ${otherName}`}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PIXELS;
      }}
    >
      {note && <li className="message-note">{note}</li>}
      {messages.map((message, i) => {
        const own = message.side === side;
        const continues = messages[i - 1]?.side === message.side;
        return (
          <li
            key={message.seq}
            className={`message ${own ? "message-own" : "message-other"}${continues ? " message-continues" : ""}`}
          >
            <span className="visually-hidden">{own ? "You: " : `${otherName}: `}</span>
            <span className="bubble">{message.content}</span>
            <time dateTime={message.createdAt}>{clock.format(new Date(message.createdAt))}</time>
          </li>
        );
      })}
      {outgoing.map(({ clientMessageId, content, refused }) => (
        <li key={clientMessageId} className="message message-own message-pending">
          <span className="visually-hidden">You: </span>
          <span className="bubble">{content}</span>
          {refused === null ? (
            <small>{connected ? "Sending…" : "Goes out when the connection is back"}</small>
          ) : (
            <small className="fault">
              {`Not sent: ${refused} `}
              <button type="button" className="link" onClick={() => onDiscard(clientMessageId)}>
                Discard
              </button>
            </small>
          )}
        </li>
      ))}
    </ol>
  );
}
