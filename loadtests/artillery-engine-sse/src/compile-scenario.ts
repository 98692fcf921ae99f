import type { StreamEvent } from "@localstreet/client/event-stream";
import type {
  ArtilleryTools,
  CallbackStep,
  Metrics,
  ScriptConfig,
  VisitContext,
} from "./artillery.ts";
import {
  createVisitorStreams,
  DEFAULT_TIMEOUT_SECONDS,
  type VisitorStreams,
} from "./visitor-streams.ts";

/** One step of a flow: exactly one of these. */
interface StepSpec {
  readonly stream?: {
    readonly url: string;
    readonly token: string;
    /** For several streams of one visitor. */
    readonly name?: string;
    readonly lastEventId?: string;
    /** A function of the processor that is called with each event, the visit's context, the metrics and the stream's name. */
    readonly onEvent?: string;
    /** The same for events that were sent again and that the visitor knew. */
    readonly onRepeated?: string;
    /** The same with what the connection is doing, instead of an event. */
    readonly onState?: string;
  };
  readonly expect?: {
    readonly event?: string;
    /** Fields of the event's JSON, compared as text. */
    readonly data?: Readonly<Record<string, unknown>>;
    readonly count?: number;
    /** Seconds. */
    readonly within?: number;
    readonly stream?: string;
  };
  /** The name of a stream, or `true` for the one without a name. */
  readonly close?: string | true;
  readonly function?: string;
  readonly think?: number | string;
  readonly log?: string;
  readonly loop?: readonly StepSpec[];
  readonly count?: number | string;
}

type Step = (context: VisitContext, streams: VisitorStreams) => Promise<void>;
interface ScenarioSpec {
  readonly flow: readonly StepSpec[];
  /** Functions of the processor. Those of `afterScenario` run also when a step has failed. */
  readonly beforeScenario?: string | readonly string[];
  readonly afterScenario?: string | readonly string[];
}

type AnyFunction = (...values: unknown[]) => unknown;

const DEFAULT_STREAM = "stream";

/**
 * A scenario as a function that goes through it once. Every stream is closed at the end, whatever happened.
 *
 * @throws when a step is none that this engine knows, or names a function that the processor does not have.
 */
export function compileScenario(options: {
  scenario: ScenarioSpec;
  metrics: Metrics;
  config: ScriptConfig;
  tools: ArtilleryTools;
}): (context: VisitContext) => Promise<void> {
  const { config, metrics, tools } = options;
  const sse = config.engines?.sse ?? {};
  const { flow, beforeScenario = [], afterScenario = [] } = options.scenario;
  const steps = [...[beforeScenario].flat().map(callStep), ...flow.map(compile)];
  const lastSteps = [afterScenario].flat().map(callStep);

  function processorFunction(name: string): AnyFunction {
    const found = config.processor?.[name];
    if (typeof found !== "function") throw new Error(`the processor has no function "${name}"`);
    return found as AnyFunction;
  }

  function callStep(name: string): Step {
    const run = processorFunction(name);
    return async (context) => void (await run(context, metrics));
  }

  function compile(spec: StepSpec): Step {
    if (spec.stream) return compileStream(spec.stream);
    if (spec.expect) return compileExpect(spec.expect);
    if (spec.close !== undefined) {
      const name = spec.close === true ? DEFAULT_STREAM : spec.close;
      return async (_context, streams) => streams.close(name);
    }
    if (spec.function !== undefined) return callStep(spec.function);
    if (spec.think !== undefined) {
      const think = tools.createThink({ think: spec.think }, config.defaults?.think ?? {});
      return (context) => awaitStep(think, context);
    }
    if (spec.log !== undefined) {
      const { log } = spec;
      return async (context) => console.log(tools.template(log, context));
    }
    if (spec.loop) return compileLoop(spec.loop, spec.count ?? -1);
    throw new Error(`no such step: ${Object.keys(spec).join()}`);
  }

  function compileStream(spec: NonNullable<StepSpec["stream"]>): Step {
    const listener = (name: string | undefined) =>
      name === undefined ? undefined : processorFunction(name);
    const onEvent = listener(spec.onEvent);
    const onRepeated = listener(spec.onRepeated);
    const onState = listener(spec.onState);
    return async (context, streams) => {
      const {
        url,
        token,
        lastEventId,
        name = DEFAULT_STREAM,
      } = tools.template({ ...spec }, context);
      await streams.open(name, {
        url: new URL(url, config.target).href,
        token,
        lastEventId,
        onEvent: (event) => void onEvent?.(event, context, metrics, name),
        onRepeated: (event) => void onRepeated?.(event, context, metrics, name),
        onState: (state) => void onState?.(state, context, metrics, name),
      });
    };
  }

  function compileExpect(spec: NonNullable<StepSpec["expect"]>): Step {
    return async (context, streams) => {
      const { event, data, count, within, stream } = tools.template({ ...spec }, context);
      const startedAtMs = performance.now();
      await streams
        .events(stream ?? DEFAULT_STREAM)
        .take(
          (arrived) => (event === undefined || arrived.event === event) && hasFields(arrived, data),
          {
            count: Number(count ?? 1),
            timeoutMs: Number(within ?? sse.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1_000,
            what: `${event ?? "an event"} ${data ? JSON.stringify(data) : ""}`.trim(),
          },
        );
      metrics.emit("counter", "sse.expect.ok", 1);
      metrics.emit("histogram", "sse.expect_ms", performance.now() - startedAtMs);
    };
  }

  function compileLoop(specs: readonly StepSpec[], count: number | string): Step {
    const body = specs.map(compile);
    return async (context, streams) => {
      const inner = body.map(
        (step): CallbackStep =>
          (each, done) =>
            void step(each, streams).then(() => done(null, each), done),
      );
      await awaitStep(tools.createLoopWithCount(count, inner, {}), context);
    };
  }

  return async (context) => {
    const streams = createVisitorStreams(metrics, sse);
    try {
      for (const step of steps) await step(context, streams);
    } finally {
      streams.closeAll();
      for (const step of lastSteps) await step(context, streams);
    }
  };
}

function awaitStep(step: CallbackStep, context: VisitContext): Promise<void> {
  return new Promise((resolve, reject) => {
    step(context, (error) => (error ? reject(error) : resolve()));
  });
}

function hasFields(event: StreamEvent, fields: Readonly<Record<string, unknown>> | undefined) {
  if (!fields) return true;
  const data = JSON.parse(event.data) as Record<string, unknown>;
  return Object.entries(fields).every(([name, value]) => String(data[name]) === String(value));
}
