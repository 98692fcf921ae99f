/** One scenario of `npm run loadtest`. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  /** `--size` when it is absent, and what it counts. */
  readonly size: { readonly default: number; readonly unit: string };
  readonly runner: ArtilleryRunner | { readonly kind: "smoke" } | { readonly kind: "hold" };
}

export interface ArtilleryRunner {
  readonly kind: "artillery";
  /** In this package. */
  readonly script: string;
  /** Of each visitor, all from this machine's one address. */
  readonly connections: number;
  /** How the visitors come, in order. Whoever came stays until the end. Absent: all as soon as they can. */
  readonly waves?: readonly Wave[] | undefined;
  /** How long each visitor is busy, or with waves how long they take, when `--seconds` does not say. */
  readonly seconds: number;
  /** One act of a visitor in so many milliseconds. */
  readonly intervalMs: number;
}

export interface Wave {
  readonly name: string;
  readonly share: number;
  /** Of the time that all waves take. */
  readonly time: number;
}

/** The scenarios by name, in the order in which they are listed. */
export const CATALOGUE: readonly Scenario[] = [
  {
    name: "smoke",
    description: "a few visitors through all four paths, step by step",
    size: { default: 10, unit: "visitors" },
    runner: { kind: "smoke" },
  },
  artillery("vendor-streams", {
    description: "shops with three devices each, and orders for them",
    size: { default: 40, unit: "shops" },
    connections: 3,
    intervalMs: 1_000,
  }),
  artillery("chat", {
    description: "buyers on two devices and the shop's staff, talking",
    size: { default: 40, unit: "conversations" },
    connections: 3,
    intervalMs: 1_000,
  }),
  artillery("watchers", {
    description: "couriers on their way, each watched on three devices",
    size: { default: 40, unit: "deliveries" },
    connections: 3,
    intervalMs: 1_000,
  }),
  artillery("dashboard", {
    description: "dashboards that show the orders and the chat of their shops",
    size: { default: 30, unit: "shops" },
    connections: 5,
    intervalMs: 1_000,
  }),
  artillery("city-day", {
    description: "everything at once, with a rush at noon and another in the evening",
    size: { default: 40, unit: "shops" },
    connections: 8,
    intervalMs: 1_500,
    seconds: 40,
    waves: [
      { name: "morning", share: 0.1, time: 0.2 },
      { name: "noon", share: 0.4, time: 0.2 },
      { name: "afternoon", share: 0.1, time: 0.4 },
      { name: "evening", share: 0.4, time: 0.2 },
    ],
  }),
  artillery("reconnect-storm", {
    description: "every connection is reset at once, in the middle of everything",
    size: { default: 40, unit: "shops" },
    connections: 8,
    intervalMs: 1_000,
  }),
  artillery("flash-sale", {
    description: "one shop, everybody orders in the same second, every device hears of every order",
    size: { default: 50, unit: "buyers" },
    connections: 1,
    intervalMs: 50,
    seconds: 1,
  }),
  {
    name: "hold",
    description:
      "the lean generator: connections to all services at once, past what Artillery can hold",
    size: { default: 5_000, unit: "connections" },
    runner: { kind: "hold" },
  },
];

function artillery(
  name: string,
  options: Pick<Scenario, "description" | "size"> &
    Pick<ArtilleryRunner, "connections" | "intervalMs" | "waves"> & { readonly seconds?: number },
): Scenario {
  const { description, size, connections, intervalMs, waves, seconds = 20 } = options;
  return {
    name,
    description,
    size,
    runner: { kind: "artillery", script: `${name}.yml`, connections, waves, seconds, intervalMs },
  };
}
