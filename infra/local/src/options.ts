import { parseArgs } from "node:util";
import { isServiceName, SERVICE_NAMES, type ServiceName } from "./services.ts";

export interface StartOptions {
  readonly reset: boolean;
  readonly simulator: boolean;
  readonly replicas: Readonly<Record<ServiceName, number>>;
  /** `undefined`: the usual one, or another when that is taken. */
  readonly port: number | undefined;
  readonly tls: boolean;
}

export type ParsedOptions =
  | { readonly kind: "start"; readonly options: StartOptions }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly message: string };

export const USAGE = `npm start -- [options]

  --replicas N            replicas of each service (2)
  --replicas SERVICE=N    replicas of one service; may be repeated
                          services: ${SERVICE_NAMES.join(", ")}
  --port N                port of the gateway on 127.0.0.1 (8080, or another when it is taken)
  --tls                   HTTPS with HTTP/2 as well, on 127.0.0.1:8443 (or another), with a certificate of its own:
                          a browser opens any number of streams, where over HTTP/1.1 it opens six
  --no-simulator          no simulated city: an empty platform
  --reset                 drop the data of earlier runs first
  --help                  this text

Variables of the services (AUTH_JWT_SECRET, AUTH_JWKS_FILE, AUTH_JWKS_URL, LOG_LEVEL, …) are taken from the environment, as
are

  GATEWAY_CONNECTIONS_PER_ADDRESS    connections that one address may have (100; 5000 with the simulator)
  GATEWAY_REQUESTS_PER_ADDRESS       requests a second of one address (1000; 20000 with the simulator)
  GATEWAY_STREAM_IDLE_MS             silence of a service that ends a stream or a WebSocket (35000)
  SIMULATOR_SEED, SIMULATOR_SPEED    which city (1), and how fast its time runs (1)
  LOCALSTREET_DIR                    where the data is kept (.localstreet)

Addresses, ports and the stores' credentials are chosen here.
`;

const MAX_REPLICAS = 32;

/** The command line of `npm start`. Anything that is not understood is an error, not ignored. */
export function parseOptions(argv: readonly string[]): ParsedOptions {
  let values: {
    reset?: boolean;
    simulator?: boolean;
    replicas?: string[];
    port?: string;
    tls?: boolean;
    help?: boolean;
  };
  try {
    ({ values } = parseArgs({
      args: [...argv],
      allowNegative: true,
      options: {
        reset: { type: "boolean" },
        simulator: { type: "boolean" },
        replicas: { type: "string", multiple: true },
        port: { type: "string" },
        tls: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    return { kind: "wrong", message: (error as Error).message.split(". ")[0] as string };
  }
  if (values.help) return { kind: "help" };

  const port = values.port === undefined ? undefined : wholeNumber(values.port, 1, 65_535);
  if (port === null) {
    return { kind: "wrong", message: `--port ${values.port}: not a port (1 to 65535)` };
  }
  const replicas: Record<ServiceName, number> = {
    "notification-sse": 2,
    "chat-ws": 2,
    "tracking-ingest": 2,
    "tracking-fanout": 2,
  };
  for (const text of values.replicas ?? []) {
    const [before, after] = text.includes("=") ? text.split("=", 2) : [undefined, text];
    const count = wholeNumber(after as string, 1, MAX_REPLICAS);
    if (count === null) {
      return {
        kind: "wrong",
        message: `--replicas ${text}: the number must be 1 to ${MAX_REPLICAS}`,
      };
    }
    if (before === undefined) {
      for (const name of SERVICE_NAMES) replicas[name] = count;
    } else if (isServiceName(before)) {
      replicas[before] = count;
    } else {
      const message = `--replicas ${text}: no such service; there are ${SERVICE_NAMES.join(", ")}`;
      return { kind: "wrong", message };
    }
  }
  return {
    kind: "start",
    options: {
      reset: values.reset ?? false,
      simulator: values.simulator ?? true,
      replicas,
      port,
      tls: values.tls ?? false,
    },
  };
}

function wholeNumber(text: string, min: number, max: number): number | null {
  const number = Number(text);
  return /^\d+$/.test(text) && number >= min && number <= max ? number : null;
}
