import type { Fault } from "./fault.ts";
import { killReplica } from "./faults/kill-replica.ts";
import { natsRestart } from "./faults/nats-restart.ts";

/** All faults, in the order in which `all` does them. */
export const FAULTS: readonly Fault[] = [killReplica, natsRestart];
