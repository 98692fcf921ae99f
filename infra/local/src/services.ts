/** What the local platform knows about each service: which stores it is given. Its routes stand in infra/gateway. */
export const SERVICES = {
  "notification-sse": { redis: false, postgres: false },
  "chat-ws": { redis: false, postgres: true },
  "tracking-ingest": { redis: true, postgres: false },
  "tracking-fanout": { redis: true, postgres: false },
} as const;

export type ServiceName = keyof typeof SERVICES;

export const SERVICE_NAMES = Object.keys(SERVICES) as ServiceName[];

export function isServiceName(text: string): text is ServiceName {
  return Object.hasOwn(SERVICES, text);
}
