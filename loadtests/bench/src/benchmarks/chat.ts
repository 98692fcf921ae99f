import { runToFigures } from "../baseline-process.ts";
import type { Benchmark, Column, Contestant } from "../benchmark.ts";
import { baselineContestant } from "../contestants.ts";
import type { ChatSpec, SubscriberSpec } from "../generator/specs.ts";
import type { Lab } from "../lab.ts";
import { readMetric } from "../platform-metrics.ts";
import { platformWay, redisEnv, type Way } from "../platform-paths.ts";

const CONVERSATIONS = 200;
const IN_FLIGHT = 4;
/** BEGIN, lock the conversations, look for duplicates, insert, COMMIT. */
const STATEMENTS_PER_COMMIT = 5;
const CONTENT = "Is the cardamom bun still warm?";

const COLUMNS: readonly Column[] = [
  { figure: "deliveredPerSecond", title: "acknowledged a second", digits: 0 },
  { figure: "cpuMicrosEach", title: "CPU µs each", digits: 1 },
  { figure: "storeMicrosEach", title: "Postgres CPU µs each", digits: 1 },
  { figure: "p50Ms", title: "ack p50 ms", digits: 1 },
  { figure: "p99Ms", title: "ack p99 ms", digits: 1 },
  { figure: "deliveredP99Ms", title: "delivery p99 ms", digits: 1 },
  { figure: "statementsEach", title: "statements each", digits: 3 },
  { figure: "lost", title: "lost", digits: 0 },
  { figure: "outOfOrder", title: "out of order", digits: 0 },
];

export const chatBenchmark: Benchmark = {
  name: "chat",
  title: `Chat, saturated: ${CONVERSATIONS} conversations with ${IN_FLIGHT} messages on their way in each, every one in a committed transaction`,
  contestants: [
    articleChat(),
    {
      name: "pg batches of 50",
      async start(lab) {
        const env = { DATABASE_URL: await databaseUrl(lab) };
        const SECONDS = String(lab.settings.windowMs / 1_000);
        return {
          pids: () => [],
          measure: () =>
            runToFigures({
              name: "pg-batches",
              dir: lab.dir,
              program: "pg-batches",
              env: { ...env, SECONDS },
            }),
          async stop() {},
        };
      },
    },
    platformChat("platform", "direct"),
    platformChat("platform+gateway", "gateway"),
  ],
  columns: COLUMNS,
  targets: [
    rateTarget("article", 4.5),
    rateTarget("pg batches of 50", 0.25),
    {
      what: "statements per chat message at load",
      figure: "statementsEach",
      of: "platform",
      against: null,
      atMost: 0.2,
    },
  ],
  notes: [
    "Statements are the transactions that the service counts, five each; the article has one INSERT for each message.",
  ],
};

export const chatHalfBenchmark: Benchmark = {
  name: "chat-half",
  title: "Chat at half of the rate that saturates the article, the same for both",
  contestants: [articleChat(articleHalfRate), platformChat("platform", "direct", articleHalfRate)],
  columns: COLUMNS,
  targets: [
    {
      what: "chat, ack p99 at half of the article's rate",
      figure: "p99Ms",
      of: "platform",
      against: "article",
      atMost: 1,
    },
  ],
};

function rateTarget(against: string, atLeast: number) {
  const what = "chat, acknowledged messages a second";
  return { what, figure: "deliveredPerSecond", of: "platform", against, atLeast };
}

type RateOf = (lab: Lab) => Promise<number>;

/** Found out once in a run. */
async function articleHalfRate(lab: Lab): Promise<number> {
  return await lab.once("article's chat rate", async () => {
    const started = await articleChat().start(lab);
    try {
      const spec = (await started.load?.()) as ChatSpec;
      const figures = await lab.generator.run(spec, { onBegin() {}, onEnd() {} });
      return (figures.deliveredPerSecond ?? 0) / 2;
    } finally {
      await started.stop();
    }
  });
}

async function databaseUrl(lab: Lab): Promise<string> {
  return (await lab.platform()).stores.postgres.url("admin");
}

async function postgresPids(lab: Lab): Promise<number[]> {
  return [(await lab.platform()).stores.postgres.pid];
}

async function specOf(
  lab: Lab,
  parts: Pick<ChatSpec, "senders" | "receivers" | "message">,
  rateOf: RateOf | undefined,
): Promise<ChatSpec> {
  return {
    kind: "chat",
    ...parts,
    marker: '"clientMessageId":"{run}-',
    inFlight: IN_FLIGHT,
    ...(rateOf ? { perSecond: await rateOf(lab) } : {}),
    warmUpMs: lab.settings.warmUpMs * 2,
    windowMs: lab.settings.windowMs,
  };
}

function articleChat(rateOf?: RateOf): Contestant {
  return baselineContestant({
    name: "article",
    program: "article-chat",
    replicas: 2,
    env: async (lab) => ({ ...(await redisEnv(lab)), DATABASE_URL: await databaseUrl(lab) }),
    storePids: postgresPids,
    load(lab, { ports }) {
      const clients = (user: string): SubscriberSpec => ({
        transport: "ws",
        ports,
        path: "/socket.io/?EIO=4&transport=websocket",
        connections: CONVERSATIONS,
        topics: CONVERSATIONS,
        ready: "\r\n\r\n",
        steps: [
          { send: "40", until: '40{"sid"' },
          { send: `42["join","${user}-{n}"]`, until: '"joined"' },
        ],
      });
      const message = `42{digits}["send-message",{"clientMessageId":"{run}-{digits}","to":"vendor-{n}","content":"${CONTENT}"}]`;
      const parts = { senders: clients("buyer"), receivers: clients("vendor"), message };
      return specOf(lab, parts, rateOf);
    },
  });
}

function platformChat(name: string, way: Way, rateOf?: RateOf): Contestant {
  return {
    name,
    async start(lab) {
      const { platform, port, pids, servicePid } = await platformWay(lab, "chat-ws", way);
      const { adminUrl } = platform.replica("chat-ws-1");
      const vendors = lab.freshName("v");
      const tokensOf = async (sign: (n: number) => Promise<string>) => ({
        values: await Promise.all(Array.from({ length: CONVERSATIONS }, (_, n) => sign(n))),
        topicsEach: 1,
      });
      const buyerTokens = await tokensOf((n) =>
        platform.signToken({ role: "buyer", sub: `buyer-${n}` }),
      );
      const vendorTokens = await tokensOf((n) =>
        platform.signToken({ role: "vendor", sub: `staff-${n}`, vendors: [`${vendors}-${n}`] }),
      );
      const clients = (tokens: typeof buyerTokens): SubscriberSpec => ({
        transport: "ws",
        ports: [port],
        path: "/api/chat/ws",
        connections: CONVERSATIONS,
        topics: CONVERSATIONS,
        tokens,
        ready: "\r\n\r\n",
      });
      const storePids = await postgresPids(lab);
      const message = `{"type":"send-message","clientMessageId":"{run}-{digits}","to":"${vendors}-{n}","content":"${CONTENT}"}`;
      return {
        pids,
        storePids: () => storePids,
        profilePid: servicePid,
        load: () =>
          specOf(
            lab,
            { senders: clients(buyerTokens), receivers: clients(vendorTokens), message },
            rateOf,
          ),
        inspect: async () => ({
          commits: await readMetric(adminUrl, "localstreet_chat_commit_messages_count"),
          committed: await readMetric(adminUrl, "localstreet_chat_commit_messages_sum"),
        }),
        derive: ({ commits = 0, committed = 0 }) => ({
          statementsEach: (commits * STATEMENTS_PER_COMMIT) / committed,
        }),
        async stop() {},
      };
    },
  };
}
