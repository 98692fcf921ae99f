import { CHAT_CONTENT_MAX } from "@localstreet/contracts/chat";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";

/** One line that grows with what is written. Enter sends, Shift and Enter breaks the line. */
export function Composer(props: {
  label: string;
  disabled: boolean;
  onSend(content: string): void;
  onDraft(drafting: boolean): void;
}) {
  const { label, disabled, onSend, onDraft } = props;
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  const drafting = text !== "";
  useEffect(() => {
    onDraft(drafting);
    return () => onDraft(false);
  }, [drafting, onDraft]);

  function send(): void {
    if (disabled || text.trim() === "") return;
    onSend(text);
    setText("");
    field.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent): void {
    // While an input method composes a character, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        aria-label={label}
        placeholder="Write a message"
        rows={1}
        maxLength={CHAT_CONTENT_MAX}
        value={text}
        disabled={disabled}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <button type="submit" className="send" disabled={disabled || text.trim() === ""}>
        <svg viewBox="0 0 20 20" className="icon" aria-hidden="true">
          <path d="M10 16V4.5M5 9l5-5 5 5" />
        </svg>
        <span className="visually-hidden">Send</span>
      </button>
    </form>
  );
}
