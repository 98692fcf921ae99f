import { join } from "node:path";
import type { StorePasswords } from "./credentials.ts";
import { findFreePort } from "./free-port.ts";
import { type NatsServer, startNats } from "./nats-server.ts";

/**
 * A cluster of nats-servers on this machine, `nats-1` and so on, each with a folder of its own in `dir`.
 *
 * @throws when a node does not start; the others are stopped.
 */
export async function startNatsCluster(options: {
  dir: string;
  /** Odd, three or more: a stream survives the loss of fewer than half. */
  nodes: number;
  logFile?: (name: string) => string;
  passwords: StorePasswords;
}): Promise<readonly [NatsServer, ...NatsServer[]]> {
  const { dir, nodes, logFile, passwords } = options;
  const names = Array.from({ length: nodes }, (_, index) => `nats-${index + 1}`);
  // Side by side, or the same port would be found twice.
  const ports = await Promise.all([...names, ...names].map(() => findFreePort()));
  const clientPorts = ports.slice(0, nodes);
  const routePorts = ports.slice(nodes);
  const results = await Promise.allSettled(
    names.map((name, index) =>
      startNats({
        dir: join(dir, name),
        port: clientPorts[index],
        logFile: logFile?.(name),
        passwords,
        cluster: { name, routePort: routePorts[index] as number, routePorts, clientPorts },
      }),
    ),
  );
  const started = results.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : [],
  );
  const failed = results.find((result) => result.status === "rejected");
  if (failed) {
    await Promise.all(started.map((server) => server.stop()));
    throw failed.reason;
  }
  return started as [NatsServer, ...NatsServer[]];
}
