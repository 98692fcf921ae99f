import type { ModelConnection } from "../src/model/model-connection.ts";

/** Moves everything on, live copies first, until nothing is on its way, and again with what was sent meanwhile. */
export function startPump(connection: ModelConnection): { stop(): void } {
  let isRunning = true;
  function run(): void {
    if (!isRunning) return;
    connection.takeSubscriptions();
    while (connection.liveCount > 0 || connection.requests.length > 0) {
      if (connection.liveCount > 0) connection.deliverLive();
      else connection.advance(0);
    }
    setImmediate(run);
  }
  run();
  return {
    stop() {
      isRunning = false;
    },
  };
}
