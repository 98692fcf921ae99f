import type { LoadShape } from "./load.ts";
import type { Stage } from "./stage.ts";

/** Something that happens to a platform under load, and what is promised all the same. */
export interface Fault {
  /** As in `npm run chaos -- <name>`. */
  readonly name: string;
  /** What is done. */
  readonly harm: string;
  readonly promise: string;
  /** Nodes of NATS that it needs; 1 when it is absent. */
  readonly natsNodes?: 3;
  /** What runs meanwhile; the usual load of the size that is asked for when it is absent. */
  readonly load?: LoadShape;
  /** Variables of the services that differ from those of `npm start`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether stores write as they would in production, and not as is quickest. */
  readonly durable?: boolean;
  /**
   * Does the harm, waits for the recovery, and says by `stage.check` and `stage.note` what was seen. The load runs before
   * and after, and what the oracle finds in it is judged without being asked.
   */
  run(stage: Stage): Promise<void>;
}
