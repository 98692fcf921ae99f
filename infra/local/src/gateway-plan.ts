import { type ReservedPort, reservePort } from "@localstreet/stores/free-port";
import { type Certificate, ensureCertificate } from "./certificate.ts";
import { DEFAULT_CONNECTIONS_PER_ADDRESS, DEFAULT_REQUESTS_PER_ADDRESS } from "./gateway.ts";

/** Where the gateway will listen and what it allows, agreed on before the services start. */
export interface GatewayPlan {
  readonly url: string;
  readonly port: number;
  readonly tls:
    | { readonly url: string; readonly port: number; readonly certificate: Certificate }
    | undefined;
  readonly allowedOrigins: readonly string[];
  readonly connectionsPerAddress: number;
  readonly requestsPerAddress: number;
  readonly streamIdleMs: number | undefined;
  /** Frees the ports for the gateway. */
  releasePorts(): Promise<void>;
}

export interface GatewayPlanOptions {
  /** Port of the gateway: this one and no other, or the first free one of `preferredPort` and any. */
  readonly port?: number | undefined;
  readonly preferredPort?: number;
  /** HTTPS as well, on `preferredPort` or any that is free. */
  readonly tls?: { readonly preferredPort?: number } | undefined;
}

/** A browser with many tabs, a load test and the simulator all come from one address here. */
const CONNECTIONS_WITH_SIMULATOR = 5_000;
const REQUESTS_WITH_SIMULATOR = 20_000;

/** @throws when `port` is taken, a variable is wrong, or the certificate cannot be made. */
export async function planGateway(
  options: GatewayPlanOptions & {
    env: NodeJS.ProcessEnv;
    withSimulator: boolean;
    /** Where the certificate is kept. */
    tlsDir: string;
    logFile: string;
  },
): Promise<GatewayPlan> {
  const { env, tlsDir, logFile } = options;
  const connectionsPerAddress =
    wholeNumber(env, "GATEWAY_CONNECTIONS_PER_ADDRESS") ??
    (options.withSimulator ? CONNECTIONS_WITH_SIMULATOR : DEFAULT_CONNECTIONS_PER_ADDRESS);
  const requestsPerAddress =
    wholeNumber(env, "GATEWAY_REQUESTS_PER_ADDRESS") ??
    (options.withSimulator ? REQUESTS_WITH_SIMULATOR : DEFAULT_REQUESTS_PER_ADDRESS);
  const streamIdleMs = wholeNumber(env, "GATEWAY_STREAM_IDLE_MS");
  const certificate = options.tls && (await ensureCertificate(tlsDir, { logFile }));
  const plain = await reserve(options.preferredPort ?? 0, options.port);
  const secure = options.tls && (await reserve(options.tls.preferredPort ?? 0));
  const ownOrigins = [
    ...originsAt("http", plain.port),
    ...(secure ? originsAt("https", secure.port) : []),
  ];
  return {
    url: `http://127.0.0.1:${plain.port}`,
    port: plain.port,
    tls: secure &&
      certificate && {
        url: `https://127.0.0.1:${secure.port}`,
        port: secure.port,
        certificate,
      },
    allowedOrigins: list(env.ALLOWED_ORIGINS) ?? ownOrigins,
    connectionsPerAddress,
    requestsPerAddress,
    streamIdleMs,
    async releasePorts() {
      await plain.release();
      await secure?.release();
    },
  };
}

async function reserve(preferred: number, only?: number): Promise<ReservedPort> {
  const reserved = await reservePort(only ?? preferred);
  if (reserved) return reserved;
  if (only !== undefined) throw new Error(`port ${only} is taken`);
  const other = await reservePort(0);
  if (!other) throw new Error("no port is free");
  return other;
}

/** Where the page comes from, under both names of this machine. */
export function originsAt(scheme: "http" | "https", port: number): string[] {
  return ["127.0.0.1", "localhost"].map((host) => `${scheme}://${host}:${port}`);
}

function list(text: string | undefined): string[] | undefined {
  return text ? text.split(",").flatMap((part) => part.trim() || []) : undefined;
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const text = env[name];
  if (!text) return undefined;
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`${name}: must be a whole number from 1`);
  return Number(text);
}
