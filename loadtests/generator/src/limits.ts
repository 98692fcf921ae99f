import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { CONNECTIONS_PER_SHOP } from "./shop-kit.ts";

/** From where the connections of one process come. */
export interface SourcePlan {
  readonly shops: number;
  /** Source addresses of its connections in the order of use, `perAddress` for each. Empty: the system's choice. */
  readonly addresses: readonly string[];
  readonly perAddress: number;
  /** Source address of its requests. */
  readonly callerAddress: string | undefined;
}

export interface MachineLimits {
  /** File descriptors that one process may hold. */
  readonly descriptors: number;
  /** Ports that one source address has for one destination. */
  readonly ports: number;
}

const CONNECTIONS_PER_WORKER = 5_000;
/** The gateway lets in a hundred per address (PROTOCOL.md E8) unless it is told otherwise. */
const DEFAULT_PER_ADDRESS = 90;
/** For files, pipes and requests besides. */
const SPARE_DESCRIPTORS = 200;
const ADDRESSES_PER_NET = 250;

/**
 * Spreads shops over processes, and their connections over source addresses: on this machine every 127.x.y.z is an address
 * of ours, so that they come from as many as it takes. To another machine they all come from one.
 *
 * @throws {Error} that says which limit is too low, and how to raise it.
 */
export function planSources(options: {
  shops: number;
  target: URL;
  limits: MachineLimits;
  perAddress?: number | undefined;
  workers?: number | undefined;
}): SourcePlan[] {
  const { shops, limits } = options;
  const connections = shops * CONNECTIONS_PER_SHOP;
  const wanted = options.workers ?? Math.ceil(connections / CONNECTIONS_PER_WORKER);
  const workers = Math.min(wanted, shops);
  const perWorker = Math.ceil(shops / workers) * CONNECTIONS_PER_SHOP + SPARE_DESCRIPTORS;
  if (perWorker > limits.descriptors) {
    const enough = Math.ceil(connections / Math.max(1, limits.descriptors - SPARE_DESCRIPTORS));
    throw new Error(
      `${connections} connections need ${perWorker} file descriptors in each of ${workers} processes, and ${limits.descriptors} are allowed: ` +
        `raise the limit (ulimit -n ${perWorker}), or spread them over more processes (--workers ${enough})`,
    );
  }
  const isLocal = isThisMachine(options.target);
  if (!isLocal && connections > limits.ports) {
    throw new Error(
      `One address has ${limits.ports} ports for a target, and ${connections} connections were asked for: ` +
        "widen net.ipv4.ip_local_port_range, or share the load between machines",
    );
  }
  const perAddress = Math.min(options.perAddress ?? DEFAULT_PER_ADDRESS, limits.ports);
  let used = 0;
  const nextAddress = () => loopback(used++);
  return Array.from({ length: workers }, (_, index) => {
    const share =
      Math.floor((shops * (index + 1)) / workers) - Math.floor((shops * index) / workers);
    const count = isLocal ? Math.ceil((share * CONNECTIONS_PER_SHOP) / perAddress) : 0;
    return {
      shops: share,
      perAddress,
      callerAddress: isLocal ? nextAddress() : undefined,
      addresses: Array.from({ length: count }, nextAddress),
    };
  });
}

/** 127.1.0.1 and on: none that anybody else here uses by chance. */
function loopback(index: number): string {
  const net = Math.floor(index / ADDRESSES_PER_NET);
  return `127.${1 + Math.floor(net / 256)}.${net % 256}.${1 + (index % ADDRESSES_PER_NET)}`;
}

function isThisMachine({ hostname }: URL): boolean {
  return hostname === "localhost" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Node raises its soft limit to the hard one at its start, and so do the processes that it starts. */
export function readMachineLimits(): MachineLimits {
  const open = /^Max open files\s+(\d+|unlimited)/m.exec(readOrNothing("/proc/self/limits"))?.[1];
  const range = readOrNothing("/proc/sys/net/ipv4/ip_local_port_range").match(/\d+/g) ?? [];
  const [first = 32_768, last = 60_999] = range.map(Number);
  return {
    descriptors: open === undefined ? shellLimit() : Number(open === "unlimited" ? 1e9 : open),
    ports: last - first + 1,
  };
}

function shellLimit(): number {
  return Number(execFileSync("/bin/sh", ["-c", "ulimit -n"], { encoding: "utf8" })) || 1_024;
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
