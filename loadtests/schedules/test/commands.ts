import { openLogReader } from "@localstreet/bus/log-reader";
import type { StoredEvent } from "@localstreet/bus/subject-log";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import type { Random } from "./random.ts";
import type { Target } from "./target.ts";

/** What can be known of a log before a command is chosen. */
export interface Known {
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Of the newest message that is kept; 0 for none. */
  readonly newestSequence: number;
  readonly deleted: readonly number[];
  readonly ids: readonly string[];
  readonly consumers: readonly string[];
  /** Those that no pull waits at: the bus has one at a time. */
  readonly idleConsumers: readonly string[];
  nextName(): string;
}

/** One thing that is done to both; it answers what is compared. */
export interface Command {
  readonly what: string;
  /** That a pull's time is over has to be waited for. */
  readonly waitMs?: number;
  readonly run: (target: Target) => Promise<unknown>;
}

const VENDORS = ["bakery", "florist", "butcher"];
const subjectOf = (vendor: string) => `vendor.${vendor}.orders`;

export function chooseCommand(random: Random, known: Known): Command {
  return random.of(CHOICES)(random, known);
}

type Choice = (random: Random, known: Known) => Command;

const publish: Choice = (random, known) => {
  const subject = subjectOf(random.of(VENDORS));
  const fields: Record<string, string> = {};
  const kind = random.below(10);
  if (kind > 0) fields["Nats-Msg-Id"] = known.nextName();
  if (kind > 3) fields["Localstreet-Event"] = "new-order";
  return publishing(subject, fields, random.of(["{}", "", '{"orderId":"o-1"}']));
};

const publishAgain: Choice = (random, known) => {
  if (known.ids.length === 0) return publish(random, known);
  return publishing(subjectOf(random.of(VENDORS)), { "Nats-Msg-Id": random.of(known.ids) }, "{}");
};

const publishExpecting: Choice = (random, known) =>
  publishing(
    subjectOf(random.of(VENDORS)),
    {
      "Nats-Msg-Id": known.nextName(),
      "Nats-Expected-Last-Subject-Sequence": String(random.of([0, someSequence(random, known)])),
    },
    "{}",
  );

function publishing(subject: string, fields: Record<string, string>, body: string): Command {
  return {
    what: `publish ${subject} ${JSON.stringify(fields)}`,
    run: (target) => target.ask(subject, body, fields),
  };
}

function someSequence(random: Random, { firstSequence, lastSequence }: Known): number {
  const first = Math.max(0, firstSequence - 1);
  return first + random.below(lastSequence - first + 3);
}

const someFilter = (random: Random) =>
  random.of([...VENDORS.map(subjectOf), ">", "vendor.*.orders", "vendor.nobody.orders"]);

const read: Choice = (random, known) => {
  const seq = someSequence(random, known);
  const query = random.of([
    { seq },
    { last_by_subj: someFilter(random) },
    { seq, next_by_subj: someFilter(random) },
    {},
  ]);
  const api = random.of(["STREAM.MSG.GET", "DIRECT.GET"]);
  return api_(`${api}.${VENDOR_STREAM}`, query);
};

const info: Choice = (random) =>
  api_(
    `STREAM.INFO.${VENDOR_STREAM}`,
    random.of([{}, { deleted_details: true }, { subjects_filter: someFilter(random) }]),
  );

const remove: Choice = (random, known) => {
  const { firstSequence, lastSequence } = known;
  const seq = random.of([
    firstSequence,
    lastSequence,
    lastSequence,
    someSequence(random, known),
    someSequence(random, known),
  ]);
  return api_(`STREAM.MSG.DELETE.${VENDOR_STREAM}`, { seq });
};

const purge: Choice = (random, known) => {
  const { firstSequence, lastSequence, deleted } = known;
  const kind = random.below(6);
  const filter = subjectOf(random.of(VENDORS));
  if (kind === 0) return purging({});
  if (kind === 1) return purging({ filter });
  if (kind === 2) return purging({ filter, keep: 1 + random.below(2) });
  const seq = Math.max(firstSequence, lastSequence - random.below(5));
  // The file store of 2.9 loses count when it is cut at a deleted message: see the README.
  if (seq < 1 || deleted.includes(seq)) return info(random, known);
  if (kind === 3) return purging({ seq });
  return purging({ keep: lastSequence - seq + 1 });
};

const purging = (query: object) => api_(`STREAM.PURGE.${VENDOR_STREAM}`, query);

const consume: Choice = (random, known) => {
  const name = known.nextName();
  const filter = random.of([undefined, subjectOf(random.of(VENDORS))]);
  return api_(
    `CONSUMER.CREATE.${VENDOR_STREAM}.${name}${filter === undefined ? "" : `.${filter}`}`,
    {
      stream_name: VENDOR_STREAM,
      config: {
        name,
        deliver_policy: "by_start_sequence",
        opt_start_seq: Math.max(1, someSequence(random, known)),
        ack_policy: "none",
        replay_policy: "instant",
        inactive_threshold: 60_000_000_000,
        num_replicas: 1,
        mem_storage: true,
        ...(filter === undefined ? {} : { filter_subject: filter }),
      },
    },
  );
};

/** Long enough that a busy server brings what is there first. */
const SHORT_PULL_MS = 150;

const pull: Choice = (random, known) => {
  const name = known.idleConsumers.at(-1 - random.below(3));
  if (name === undefined) return consume(random, known);
  const batch = 1 + random.below(4);
  const isShort = random.below(8) === 0;
  return {
    what: `pull ${batch} from ${name}${isShort ? ", briefly" : ""}`,
    ...(isShort ? { waitMs: SHORT_PULL_MS } : {}),
    async run(target) {
      target.pull(name, `_INBOX_admin.pulled.${name}`, batch, isShort ? SHORT_PULL_MS : 60_000);
    },
  };
};

const endConsumer: Choice = (random, known) => {
  const name = random.of([...known.consumers, "nobody"]);
  return api_(`CONSUMER.DELETE.${VENDOR_STREAM}.${name}`, {});
};

/** What the bus makes of it, from the same answers. */
const readByBus: Choice = (random, known) => {
  const sequence = someSequence(random, known);
  const subject = subjectOf(random.of(VENDORS));
  const count = 1 + random.below(4);
  return random.of<Command>([
    { what: "bus: bounds", run: ({ log }) => withoutEpoch(log.bounds()) },
    {
      what: `bus: head ${subject}`,
      run: async ({ log }) => comparableOrNull(await log.head(subject)),
    },
    { what: "bus: end", run: ({ log }) => withoutEpoch(log.end()) },
    {
      what: `bus: event at ${sequence}`,
      run: async ({ log }) => comparableOrNull(await log.eventAt(sequence)),
    },
    {
      what: `bus: last ${count} of ${subject} until ${sequence}`,
      run: async ({ log }) => (await log.last(subject, count, sequence)).map(comparable),
    },
    {
      what: `bus: pages of ${subject} after ${sequence}`,
      async run({ log }) {
        const found: number[] = [];
        const untilSequence = (await log.head(subject))?.sequence ?? 0;
        const range = { subject, after: { sequence, mark: null }, untilSequence };
        for await (const page of log.pages(range))
          found.push(...page.map((event) => event.sequence));
        return found;
      },
    },
    {
      what: `bus: reader after ${sequence}`,
      async run({ bus }) {
        const reader = openLogReader(bus, VENDOR_STREAM, { afterSequence: sequence, batch: 3 });
        try {
          const { events, ...page } = await reader.next(
            sequence < known.newestSequence ? 5_000 : 20,
          );
          return { ...page, events: events.map(comparable) };
        } finally {
          reader.close();
        }
      },
    },
  ]);
};

/** Clocks differ, and so do kinds of byte arrays. */
function comparable({ subject, sequence, messageId, kind, data }: StoredEvent) {
  return { subject, sequence, messageId, kind, data: Buffer.from(data).toString() };
}

function comparableOrNull(event: StoredEvent | null) {
  return event && comparable(event);
}

async function withoutEpoch<T extends { epoch: string }>(answer: Promise<T>) {
  const { epoch: _, ...rest } = await answer;
  return rest;
}

function api_(path: string, query: object): Command {
  const body = JSON.stringify(query);
  return {
    what: `${path} ${body}`,
    run: (target) => target.ask(`$JS.API.${path}`, body),
  };
}

/** As often as they stand here. */
const CHOICES: readonly Choice[] = [
  publish,
  publish,
  publish,
  publish,
  publish,
  publish,
  publishAgain,
  publishExpecting,
  read,
  read,
  read,
  info,
  info,
  remove,
  remove,
  purge,
  consume,
  pull,
  pull,
  endConsumer,
  readByBus,
  readByBus,
];
