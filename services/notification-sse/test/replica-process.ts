import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A replica in a process of its own, for what only `kill -9` does. */
export interface ReplicaProcess {
  readonly url: string;
  /** Stops the process without ending it. */
  freeze(): void;
  thaw(): void;
  kill(): Promise<void>;
}

const folder = fileURLToPath(new URL("..", import.meta.url));
const START_TIMEOUT_MS = 20_000;

/** @throws with its last lines when it ends or is not ready in time. */
export async function startReplicaProcess(env: Record<string, string>): Promise<ReplicaProcess> {
  const child = spawn(process.execPath, ["--conditions=source", "--import", "tsx", "src/main.ts"], {
    cwd: folder,
    env: { ...env, LOG_LEVEL: "info" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let lines: string[] = [];
  const address = new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`the replica ${why}:\n${lines.join("\n")}`));
    const timer = setTimeout(() => fail("is not ready in time"), START_TIMEOUT_MS);
    exited.then(() => fail("ended"), reject);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines = [...lines.slice(-20), line];
        const ready = /"address":"([^"]+)".*"msg":"ready"/.exec(line);
        if (!ready?.[1]) return;
        clearTimeout(timer);
        resolve(ready[1]);
      });
    }
  });
  async function kill(): Promise<void> {
    child.kill("SIGKILL");
    await exited;
  }
  try {
    const url = `http://${await address}`;
    return { url, freeze: () => child.kill("SIGSTOP"), thaw: () => child.kill("SIGCONT"), kill };
  } catch (error) {
    await kill();
    throw error;
  }
}
