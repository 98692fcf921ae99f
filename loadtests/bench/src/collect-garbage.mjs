// Loaded into servers by `--import`: SIGURG, which does nothing to programs that do not listen for it, collects
// garbage, so that what a connection holds can be told from what has not been collected yet.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
setFlagsFromString("--no-expose-gc");

// Twice: what the first one finds weakly held only the second one collects.
process.on("SIGURG", () => {
  collect();
  setTimeout(collect, 200);
});
