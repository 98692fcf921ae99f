/** What Artillery hands to an engine and to its steps, as far as this engine uses it. */
export interface VisitContext {
  readonly vars: Record<string, unknown>;
}

export interface Metrics {
  emit(kind: "counter" | "histogram", name: string, value: number): void;
}

export type StepCallback = (error: Error | null, context?: VisitContext) => void;
/** A step of Artillery's own tools (`think`, `loop`). */
export type CallbackStep = (context: VisitContext, done: StepCallback) => void;

export interface ArtilleryTools {
  template<T>(value: T, context: VisitContext): T;
  createThink(spec: { think: number | string }, defaults: object): CallbackStep;
  createLoopWithCount(
    count: number | string,
    steps: readonly CallbackStep[],
    options: object,
  ): CallbackStep;
}

export interface ScriptConfig {
  readonly target: string;
  readonly processor?: Readonly<Record<string, unknown>>;
  readonly engines?: { readonly sse?: SseConfig };
  readonly defaults?: { readonly think?: object };
}

/** `config.engines.sse` of a script. */
export interface SseConfig {
  /** For a stream to open, and for an `expect` without `within`. 10 when it is absent. */
  readonly timeoutSeconds?: number;
  /** First and longest wait before a stream is opened again. 500 and 10,000 when it is absent. */
  readonly backoffMs?: { readonly base: number; readonly cap: number };
}
