// Loaded into a service by `--import`: SIGUSR2 begins a CPU profile, and the next one ends it and writes it.
import { renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { join } from "node:path";

const { BENCH_PROFILE_DIR: dir, REPLICA_NAME: name } = process.env;
let session;

process.on("SIGUSR2", () => {
  if (session === undefined) {
    session = new Session();
    session.connect();
    session.post("Profiler.enable");
    session.post("Profiler.start");
    return;
  }
  session.post("Profiler.stop", (error, result) => {
    if (error) throw error;
    const file = join(dir, `${name}-${Date.now()}.cpuprofile`);
    writeFileSync(`${file}.part`, JSON.stringify(result.profile));
    renameSync(`${file}.part`, file);
  });
  session.disconnect();
  session = undefined;
});
