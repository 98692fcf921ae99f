/** What Artillery hands to the functions of a scenario, as far as they use it. */
export interface VisitContext {
  readonly vars: Record<string, unknown>;
}

export interface Metrics {
  emit(kind: "counter" | "histogram", name: string, value: number): void;
}

export interface RequestParams {
  json?: unknown;
}

export interface HttpResponse {
  readonly statusCode: number;
  readonly body: unknown;
}

/** An event of a stream, as the engine for them hands it over. */
export interface HeardEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: string;
}
