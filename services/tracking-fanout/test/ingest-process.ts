import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A replica of tracking-ingest, run as it is in production: services do not import each other. */
export interface IngestProcess {
  readonly url: string;
  stop(): Promise<void>;
}

const checkout = fileURLToPath(new URL("../../..", import.meta.url));
const START_TIMEOUT_MS = 20_000;

/** @throws with its last lines when it ends or is not ready in time. */
export async function startIngestProcess(env: Record<string, string>): Promise<IngestProcess> {
  const main = "services/tracking-ingest/src/main.ts";
  const child = spawn(process.execPath, ["--conditions=source", "--import", "tsx", main], {
    cwd: checkout,
    env: { ...env, LOG_LEVEL: "info" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let lines: string[] = [];
  const address = new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`tracking-ingest ${why}:\n${lines.join("\n")}`));
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
  async function stop(): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await exited;
  }
  try {
    return { url: `http://${await address}`, stop };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}
