import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ArtilleryTools, VisitContext } from "../src/artillery.ts";
import { compileScenario } from "../src/compile-scenario.ts";

/** Ticks from where the client was; the first connection of each is cut after three. */
const server = createServer((request, response) => {
  if (request.url === "/refused") return response.writeHead(403).end();
  const last = Number(request.headers["last-event-id"] ?? 0);
  let tick = last;
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.write(`event: resume\ndata: {}\n\n`);
  const timer = setInterval(() => {
    tick += 1;
    response.write(`event: tick\nid: ${tick}\ndata: {"tick":${tick}}\n\n`);
    if (last === 0 && tick === 3) response.destroy();
  }, 20);
  return response.on("close", () => clearInterval(timer));
});
let target: string;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** What Artillery would bring along. */
const tools: ArtilleryTools = {
  template: (value, { vars }) =>
    JSON.parse(
      JSON.stringify(value).replace(/\{\{ (\w+) \}\}/g, (_, name: string) => String(vars[name])),
    ),
  createThink: () => (context, done) => void setTimeout(() => done(null, context), 1),
  createLoopWithCount: (count, steps) => (context, done) => {
    const all = Array.from({ length: Number(count) }, () => steps).flat();
    const next = (): void => {
      const step = all.shift();
      if (step) step(context, (error) => (error ? done(error) : next()));
      else done(null, context);
    };
    next();
  },
};

async function visit(
  scenario: Parameters<typeof compileScenario>[0]["scenario"],
  processor: Record<string, unknown> = {},
) {
  const counts: Record<string, number> = {};
  const context: VisitContext = { vars: { token: "a token" } };
  const run = compileScenario({
    scenario,
    metrics: {
      emit: (_kind, name, value) => {
        counts[name] = (counts[name] ?? 0) + value;
      },
    },
    config: { target, processor, engines: { sse: { backoffMs: { base: 10, cap: 20 } } } },
    tools,
  });
  const error = await run(context).then(
    () => undefined,
    (reason: Error) => reason.message,
  );
  return { error, counts, context };
}

const stream = { url: "/ticks", token: "{{ token }}" };

test("a stream that is cut comes back where it was; steps run in order, and the last ones always", async () => {
  const heard: unknown[] = [];
  const { error, counts } = await visit(
    {
      beforeScenario: "first",
      afterScenario: ["last"],
      flow: [
        { stream: { ...stream, name: "a", onEvent: "hear", onState: "see" } },
        { expect: { stream: "a", event: "tick", data: { tick: 2 } } },
        { loop: [{ expect: { stream: "a", event: "tick" } }, { think: 1 }], count: 3 },
        { close: "a" },
        { expect: { stream: "a" } },
      ],
    },
    {
      first: () => heard.push("first"),
      hear: (
        { event, data }: { event: string; data: string },
        _context: unknown,
        _metrics: unknown,
        name: string,
      ) => event === "tick" && heard.push(`${name}${JSON.parse(data).tick}`),
      see: () => {},
      last: () => heard.push("last"),
    },
  );
  expect(error).toBe('no stream "a" was opened');
  expect(heard.slice(0, 6)).toEqual(["first", "a1", "a2", "a3", "a4", "a5"]);
  expect(heard.at(-1)).toBe("last");
  expect(counts).toMatchObject({ "sse.streams": 1, "sse.reconnects": 1, "sse.expect.ok": 4 });
});

test("what does not arrive, a refused stream, and a mistake in the script are errors that say so", async () => {
  const late = { flow: [{ stream }, { expect: { event: "never", within: 0.1 } }] };
  expect((await visit(late)).error).toBe("never did not arrive within 0.1 s");
  const refused = { flow: [{ stream: { ...stream, url: "/refused" } }] };
  expect((await visit(refused)).error).toMatch(/\/refused was refused: forbidden/);
  await expect(visit({ flow: [{ function: "missing" }] })).rejects.toThrow(/no function "missing"/);
  await expect(visit({ flow: [{ strem: stream } as object] })).rejects.toThrow(
    /no such step: strem/,
  );
});
