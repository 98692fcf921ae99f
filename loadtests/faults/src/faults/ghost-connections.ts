import { openSocket, type Socket } from "@localstreet/client/socket";
import { WebSocket } from "ws";
import type { Fault } from "../fault.ts";
import { freshId } from "../marketplace.ts";
import type { Stage } from "../stage.ts";
import { timeUntil } from "../wait.ts";

const ALLOWED = 10;
const FORGOTTEN_MS = 60_000;

export const ghostConnections: Fault = {
  name: "ghost-connections",
  harm: `somebody has ${ALLOWED} connections, as many as one may; kill -9 of a replica that holds some of them, which stays dead`,
  promise: "those that died with it stop counting against their user within a minute",
  async run(stage) {
    const { platform, absent, checkWithin } = stage;
    const buyerId = freshId("buyer");
    const sockets = Array.from({ length: ALLOWED }, () => open(stage, buyerId));
    const areOpen = (some: readonly Socket[]) => some.every(({ state }) => state.phase === "open");
    await timeUntil(() => areOpen(sockets), 10_000);
    const eleventh = open(stage, buyerId);
    sockets.push(eleventh);
    const isLetIn = (await timeUntil(() => areOpen([eleventh]), 3_000)) !== null;
    if (isLetIn) {
      absent(
        "connections of one person are not counted over the replicas yet: the eleventh was let in",
      );
    } else {
      const [doomed] = stage.replicasOf("chat-ws");
      platform.hold(doomed?.name ?? "");
      await doomed?.kill("SIGKILL");
      eleventh.close();
      const ms = await timeUntil(() => areOpen(sockets.slice(0, ALLOWED)), FORGOTTEN_MS * 2);
      checkWithin("all of them are back", ms, FORGOTTEN_MS);
      await doomed?.start();
      platform.release(doomed?.name ?? "");
    }
    for (const socket of sockets) socket.close();
  },
};

function open({ load }: Stage, buyerId: string): Socket {
  return openSocket({
    url: `${load.target.socketUrl}/api/chat/ws`,
    token: () => load.target.tokenFor({ role: "buyer", sub: buyerId }),
    WebSocket,
    onFrame() {},
  });
}
