/** What the local platform knows about each service beyond contracts' grants. Its routes stand in infra/gateway. */
export const SERVICES = {
  "notification-sse": { postgres: true },
  "chat-ws": { postgres: true },
  "tracking-ingest": { postgres: false },
  "tracking-fanout": { postgres: false },
} as const;

export type ServiceName = keyof typeof SERVICES;

export const SERVICE_NAMES = Object.keys(SERVICES) as ServiceName[];

export function isServiceName(text: string): text is ServiceName {
  return Object.hasOwn(SERVICES, text);
}
