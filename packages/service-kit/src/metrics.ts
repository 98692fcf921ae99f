import { collectDefaultMetrics, Registry } from "prom-client";

/** The Prometheus registry of one replica. Names of our own metrics begin with `localstreet_`. */
export function createMetrics(service: string, replica: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service, replica });
  collectDefaultMetrics({ register: registry });
  return registry;
}
