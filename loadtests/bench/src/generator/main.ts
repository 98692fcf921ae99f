import { runChat } from "./chat-run.ts";
import { runFanout } from "./fanout-run.ts";
import { runIdle } from "./idle-run.ts";
import { runReplay } from "./replay-run.ts";
import { runRequests } from "./request-run.ts";
import type { Figures, FromGenerator, RunSpec, ToGenerator } from "./specs.ts";
import { runStorm } from "./storm-run.ts";

/** The load generator: a process of its own, so that what it costs is nobody else's. Its orders come from its parent. */
const tell = (message: FromGenerator) => process.send?.(message);

let onGo = () => {};
async function gate(at: "begin" | "end"): Promise<void> {
  const gone = new Promise<void>((resolve) => {
    onGo = resolve;
  });
  tell({ type: at });
  await gone;
}

async function run(spec: RunSpec): Promise<Figures> {
  switch (spec.kind) {
    case "fanout":
      return await runFanout(spec, gate);
    case "idle":
      return await runIdle(spec, gate);
    case "storm":
      return await runStorm(spec, gate);
    case "requests":
      return await runRequests(spec, gate);
    case "chat":
      return await runChat(spec, gate);
    case "replay":
      return await runReplay(spec, gate);
  }
}

process.on("message", (message: ToGenerator) => {
  if (message.type === "go") return onGo();
  run(message.spec).then(
    (figures) => tell({ type: "result", figures }),
    (error: Error) => tell({ type: "failed", message: error.message }),
  );
});
process.on("disconnect", () => process.exit(0));
tell({ type: "ready" });
