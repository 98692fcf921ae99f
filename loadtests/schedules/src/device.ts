import { parseEventId } from "@localstreet/contracts/event-id";
import type { ResumeEvent } from "@localstreet/contracts/vendor-events";
import type { OrderTruth, StoredOrder } from "./order-truth.ts";

export type ViolationKind =
  | "missing"
  | "twice"
  | "disorder"
  | "foreign"
  | "untold-loss"
  | "false-gap"
  | "false-reset"
  | "memory-differs"
  | "not-followed"
  | "record"
  | "error";

export interface Violation {
  readonly kind: ViolationKind;
  readonly what: string;
}

/** What its last connection was opened into. */
interface Opening {
  readonly id: string | null;
  readonly replacements: number;
  readonly mayMeetOldCopies: boolean;
}

/**
 * One device of a vendor, with what it knows and what it is owed. It judges by what the truth holds, not by ids or
 * sequences that it was given; those serve only to see what a verdict was said of.
 */
export class Device {
  readonly name: string;
  readonly subject: string;
  readonly #truth: OrderTruth;
  readonly #violate: (violation: Violation) => void;
  /** The id that it comes back with. */
  cursor: string | null = null;
  /** All that it was given. */
  readonly ids = new Set<string>();
  /** How many frames it was sent that end a stream. */
  isOver = false;
  #opening: Opening = { id: null, replacements: 0, mayMeetOldCopies: false };
  /** Orders behind this sequence are owed; `null` before it was told where it stands. */
  #owedAfter: number | null = null;
  /** What it has, since it was told last to begin anew. */
  #got: StoredOrder[] = [];
  /** Up to here it was told that orders are gone. */
  #gapThrough = 0;
  #replacementsAtReset = 0;
  #buffered = "";

  constructor(options: {
    name: string;
    subject: string;
    truth: OrderTruth;
    violate: (violation: Violation) => void;
  }) {
    this.name = options.name;
    this.subject = options.subject;
    this.#truth = options.truth;
    this.#violate = options.violate;
  }

  /** @param mayMeetOldCopies live copies are under way, which may be of a log that is no more. */
  opens(mayMeetOldCopies: boolean): void {
    const { replacements } = this.#truth;
    this.#opening = { id: this.cursor, replacements, mayMeetOldCopies };
    this.#buffered = "";
    this.isOver = false;
  }

  /** Bytes of the stream, after the head of the answer. */
  take(bytes: Buffer): void {
    this.#buffered += bytes.toString();
    for (;;) {
      const end = this.#buffered.indexOf("\n\n");
      if (end === -1) return;
      const frame = this.#buffered.slice(0, end);
      this.#buffered = this.#buffered.slice(end + 2);
      this.#takeFrame(frame);
    }
  }

  /** Called when all is calm, and everything has had its time. */
  judge(when: string): void {
    if (this.#owedAfter === null) {
      this.#violate({
        kind: "not-followed",
        what: `${this.name} was never told where it stands (${when})`,
      });
      return;
    }
    const lost = this.#got.find((order) => !this.#truth.isOfThisLog(order));
    if (lost) {
      const what = `${this.name} has ${lost.orderId} of a log that is no more, and was not told (${when})`;
      this.#violate({ kind: "untold-loss", what });
    }
    const missing = this.owed.find((order) => !this.#got.includes(order));
    if (missing) {
      const gone = this.#truth.isKept(missing) ? "" : ", which is gone";
      const what = `${this.name} misses ${missing.orderId} at ${missing.sequence}${gone} (${when})`;
      this.#violate({ kind: "missing", what });
    }
  }

  /** Orders that it must have by now. */
  get owed(): StoredOrder[] {
    const after = this.#owedAfter ?? 0;
    return this.#truth.history.filter(
      (order) =>
        order.subject === this.subject &&
        order.sequence > after &&
        (order.sequence > this.#gapThrough || this.#truth.isFound(order)),
    );
  }

  #takeFrame(frame: string): void {
    const fields = new Map<string, string>();
    for (const line of frame.split("\n")) {
      const at = line.indexOf(":");
      if (at > 0) fields.set(line.slice(0, at), line.slice(at + 2));
    }
    const id = fields.get("id");
    if (id !== undefined) {
      this.cursor = id;
      this.ids.add(id);
    }
    const data = fields.get("data");
    switch (fields.get("event")) {
      case "resume":
        this.#takeVerdict(JSON.parse(data as string) as ResumeEvent);
        break;
      case "new-order":
        this.#takeOrder((JSON.parse(data as string) as { orderId: string }).orderId);
        break;
      case "goaway":
      case "error":
        this.isOver = true;
        break;
      default:
    }
  }

  #takeVerdict({ status, to }: ResumeEvent): void {
    const { id, replacements } = this.#opening;
    const toSequence = parseEventId(to)?.sequence ?? 0;
    const isSteady = replacements === this.#truth.replacements;
    if (status === "reset" || status === "fresh") {
      if (status === "reset" && isSteady && !this.#mayBeReset(id as string)) {
        this.#violate({
          kind: "false-reset",
          what: `${this.name} with ${id} was told to begin anew`,
        });
      }
      this.#owedAfter = toSequence;
      this.#got = [];
      this.#gapThrough = 0;
      // The log may have been replaced while it joined; copies of an old one may still tell so.
      this.#replacementsAtReset = this.#opening.mayMeetOldCopies ? 0 : replacements;
    } else if (status === "gap") {
      if (isSteady && !this.#truth.hasGoneAfter(id as string)) {
        this.#violate({ kind: "false-gap", what: `${this.name} with ${id} was told of a gap` });
      }
      this.#gapThrough = Math.max(this.#gapThrough, toSequence);
      // What follows the id comes again, as far as it is kept.
      const from = parseEventId(id as string)?.sequence ?? 0;
      this.#got = this.#got.filter(({ sequence }) => sequence <= from);
    }
  }

  /** It has followed a log that is no more, or its id is of one. */
  #mayBeReset(id: string): boolean {
    return (
      this.#truth.disowns(this.subject, id) &&
      (parseEventId(id) !== null || this.#replacementsAtReset < this.#truth.replacements)
    );
  }

  #takeOrder(orderId: string): void {
    const order = this.#truth.orders.get(orderId);
    if (!order || order.subject !== this.subject) {
      this.#violate({ kind: "foreign", what: `${this.name} got ${orderId}, which is not its own` });
      return;
    }
    if (this.#got.includes(order)) {
      this.#violate({ kind: "twice", what: `${this.name} got ${orderId} twice` });
    }
    const last = this.#got.at(-1);
    if (last && last.sequence >= order.sequence) {
      this.#violate({
        kind: "disorder",
        what: `${this.name} got ${orderId} after ${last.orderId}`,
      });
    }
    this.#got.push(order);
  }
}
