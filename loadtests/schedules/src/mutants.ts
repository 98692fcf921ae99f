/** One way to break the code. */
export interface Mutant {
  readonly name: string;
  /** The end of the file's path. */
  readonly file: string;
  /** Stands once in it. */
  readonly from: string;
  readonly to: string;
  /** Why the search cannot find it, for one that is not found. */
  readonly argued?: string;
}

const FOLLOWED = "bus/src/followed-subject.ts";
const FEED = "bus/src/subject-feed.ts";
const WATCH = "bus/src/log-watch.ts";
const JUDGE = "bus/src/judge.ts";
const PAGES = "bus/src/read-pages.ts";
const READER = "bus/src/log-reader.ts";
const BOUNDS = "bus/src/log-bounds.ts";
const FOLLOWER = "notification-sse/src/stream/follower.ts";

/** The repairs taken out one by one, and other plausible mistakes. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "a page is handed out before its bounds are read",
    file: PAGES,
    from: "if (range.isWhole && isGone(page.bounds, sequence, throughSequence)) {",
    to: "if (false) {",
  },
  {
    name: "a live copy of a known sequence is a duplicate",
    file: FOLLOWED,
    from: "if (!isAscending) this.raiseDoubt();",
    to: "if (!isAscending) return;",
  },
  {
    name: "a known sequence is not compared",
    file: FOLLOWED,
    from: "if (this.#recent.markAt(event.sequence) === event.messageId) return;",
    to: "return;",
  },
  {
    name: "what came and went is not looked for",
    file: FOLLOWED,
    from: "if (this.#isLost(bounds)) {",
    to: "if (false) {",
  },
  {
    name: "an event without a predecessor passes",
    file: FOLLOWED,
    from: "previousSequence === this.#last.sequence && previousSequence > 0",
    to: "previousSequence <= this.#last.sequence",
  },
  {
    name: "holes in the live copies are not seen",
    file: FOLLOWED,
    from: "} else if (previousSequence === this.#last.sequence && previousSequence > 0) {",
    to: "} else {",
  },
  {
    name: "nothing is held after a reconnect",
    file: FEED,
    from: "bus.onReconnect(() => forAll((followed) => followed.raiseDoubt()))",
    to: "bus.onReconnect(() => forAll((followed) => followed.checkSoon()))",
  },
  {
    name: "nothing is checked after a reconnect",
    file: FEED,
    from: "bus.onReconnect(() => forAll((followed) => followed.raiseDoubt()))",
    to: "bus.onReconnect(() => {})",
  },
  {
    name: "tails are not checked",
    file: FEED,
    from: "if (!idle.has(entry) && !entry.followed.isNew) entry.followed.checkSoon();",
    to: "",
  },
  {
    name: "a replaced log is told by its epoch alone",
    file: WATCH,
    from: "return found !== null && found !== mark;",
    to: "return false;",
  },
  {
    name: "a log that has become shorter is the same",
    file: WATCH,
    from: "if (end.lastSequence < sequence) return true;",
    to: "",
    argued:
      "The events that passed are then looked for where they were, one by one, and an id beyond the end is a reset all the same: it is an earlier sign of what is found anyway.",
  },
  {
    name: "what passed live is not proven",
    file: FOLLOWED,
    from: "if (event && event.messageId !== last.mark) this.#onReplaced();",
    to: "",
  },
  {
    name: "what passed during a check counts as proven",
    file: FOLLOWED,
    from: "while (this.#last !== proven && this.#last.sequence <= end.sequence) {",
    to: "while (false) {",
  },
  {
    name: "a check releases what was doubted since",
    file: FOLLOWED,
    from: "if (doubts === this.#doubts) this.#release();",
    to: "this.#release();",
  },
  {
    name: "a held event that the log does not have passes",
    file: FOLLOWED,
    from: "else if (live.checksBegun === this.#checksBegun) this.#acceptNext(live);",
    to: "else if (live.event.sequence > this.position.sequence) this.#acceptNext(live);",
  },
  {
    name: "held events beyond the limit are forgotten",
    file: FOLLOWED,
    from: "if (wasFull) this.raiseDoubt();",
    to: "",
    argued:
      "No schedule has 64 events of one subject under way; `live events that outrun a fill` in packages/bus/test/feed.test.ts fails.",
  },
  {
    name: "a client of a replaced log keeps its id",
    file: FOLLOWER,
    from: "(resumeFrom) => onOver(isReleased || resumeFrom === REPLACED_ID ? resumeFrom : undefined)",
    to: "() => onOver(undefined)",
  },
  {
    name: "goaway moves an id on while history is out",
    file: FOLLOWER,
    from: "isReleased || resumeFrom === REPLACED_ID ? resumeFrom : undefined",
    to: "resumeFrom",
  },
  {
    name: "resume carries the newest id before history is out",
    file: FOLLOWER,
    from: "const id = ahead.length === 0 ? to : from;",
    to: "const id = to;",
  },
  {
    name: "memory says complete of what it has forgotten",
    file: FEED,
    from: "wholeAfter: followed.wholeAfter,",
    to: "wholeAfter: 0,",
  },
  {
    name: "memory says complete of what the log has lost",
    file: FEED,
    from: "wholeAfter: followed.wholeAfter,",
    to: "wholeAfter: recent.sinceSequence,",
  },
  {
    name: "the log judges without the event at the id",
    file: JUDGE,
    from: 'if (mark !== "gone" && from.check !== checkOf(subject, mark)) return "reset";',
    to: "",
  },
  {
    name: "the log judges without what is gone",
    file: JUDGE,
    from: 'return view.wholeAfter > from.sequence ? "gap" : "complete";',
    to: 'return "complete";',
  },
  {
    name: "an id of another epoch is judged",
    file: JUDGE,
    from: "from.epoch !== view.epoch || ",
    to: "",
  },
  {
    name: "single deletes are not looked for",
    file: BOUNDS,
    from: "return deleted.some((gone) => gone > sequence && gone <= untilSequence);",
    to: "return false;",
  },
  {
    name: "a reader takes what its consumer brings",
    file: READER,
    from: "const events = brought.filter(({ sequence }) => sequence > position);",
    to: "const events = brought;",
  },
  {
    name: "the end of a replica is the end of the log",
    file: PAGES,
    from: "isSingly = isSingly ? events.length < SINGLE_READS : page.isEnd;",
    to: "isOver ||= page.isEnd; isSingly = false;",
  },
  {
    name: "a page of a replica is not proven",
    file: PAGES,
    from: "if (last && stored && stored.messageId !== last.messageId) {",
    to: "if (false) {",
  },
];
