import type { ConnectionState } from "@localstreet/client/connection-state";
import { secondsUntil } from "./age.ts";
import { useNow } from "./use-now.ts";

const REFUSALS: Readonly<Record<string, string>> = {
  unauthenticated: "the token is not valid",
  "token-expired": "the token has expired",
  forbidden: "this token may not do that",
  "not-found": "not found, or not for this token",
};

/** What a refusal means, by its problem code. */
export function explainRefusal(code: string): string {
  return REFUSALS[code] ?? code;
}

/**
 * The state of one connection, as it is, and beside it how much of what came could not be read. `of` names the connection
 * for those who do not see where the chip stands.
 */
export function ConnectionChip(props: { state: ConnectionState; of: string; unreadable: number }) {
  const { state, of, unreadable } = props;
  const { tone, text, spoken, reason } = describe(state);
  return (
    <>
      {unreadable > 0 && (
        <span
          className="chip chip-waiting"
          title="Sent by the platform, and not as this page expects"
        >
          {`${unreadable} could not be read`}
        </span>
      )}
      <span className={`chip chip-${tone}`} title={reason}>
        <span className="chip-dot" aria-hidden="true" />
        <span className="visually-hidden" role="status">{`${of}: ${spoken ?? text}`}</span>
        <span aria-hidden="true">
          {state.phase === "waiting" ? <Countdown until={state.nextAttemptAt} /> : text}
        </span>
      </span>
    </>
  );
}

function Countdown({ until }: { until: number }) {
  const now = useNow(250);
  return <>{`Retry in ${secondsUntil(until, now)} s`}</>;
}

function describe(state: ConnectionState): {
  tone: "live" | "waiting" | "refused" | "off";
  text: string;
  /** Without the countdown, which would be read out every second. */
  spoken?: string;
  reason?: string;
} {
  switch (state.phase) {
    case "open":
      return { tone: "live", text: "Live" };
    case "connecting":
      return { tone: "waiting", text: "Connecting…" };
    case "waiting":
      return {
        tone: "waiting",
        text: "Waiting to retry",
        spoken: `connection lost, waiting to retry (${state.reason})`,
        reason: `Connection lost: ${state.reason}`,
      };
    case "refused":
      return { tone: "refused", text: "Refused", reason: explainRefusal(state.code) };
    case "closed":
      return { tone: "off", text: "Closed" };
  }
}
