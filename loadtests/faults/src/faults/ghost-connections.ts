import { setTimeout as sleep } from "node:timers/promises";
import { openSocket, type Socket } from "@localstreet/client/socket";
import type { ServiceName } from "@localstreet/local/services";
import { WebSocket } from "ws";
import type { Fault } from "../fault.ts";
import { BACKEND, freshId, makeOrder, request } from "../marketplace.ts";
import type { Stage } from "../stage.ts";
import { openStreamProbe } from "../stream-probe.ts";
import { timeUntil } from "../wait.ts";

const ALLOWED = 10;
const FORGOTTEN_MS = 60_000;

/** Streams of one vendor, whose number the answer to an order tells. */
const DEVICES = 6;

export const ghostConnections: Fault = {
  name: "ghost-connections",
  harm: `somebody has ${ALLOWED} chats open, as many as one may, and a vendor ${DEVICES} streams; kill -9 of a replica that holds some of them, which stays dead, of both services`,
  promise:
    "those that died with it stop counting against their user, and as the vendor's devices, within a minute",
  env: { CONNECTIONS_PER_USER: String(ALLOWED) },
  async run(stage) {
    await haunt(stage, "chat-ws", countChats(stage));
    await haunt(stage, "notification-sse", await countDevices(stage));
  },
};

interface Counted {
  /** Whether all are there and counted as what they are. */
  isRight(): Promise<boolean>;
  readonly what: string;
  leave(): void;
}

async function haunt(stage: Stage, service: ServiceName, counted: Counted): Promise<void> {
  const { platform, checkWithin } = stage;
  const [doomed] = stage.replicasOf(service);
  if (!doomed) throw new Error(`there is no ${service}`);
  try {
    if ((await timeUntil(counted.isRight, 20_000, 200)) === null) {
      throw new Error(`not so before anything is killed: ${counted.what}`);
    }
    platform.hold(doomed.name);
    await doomed.kill("SIGKILL");
    // The others take over those that come back.
    await sleep(1_000);
    const ms = await timeUntil(counted.isRight, FORGOTTEN_MS * 2, 200);
    checkWithin(counted.what, ms, FORGOTTEN_MS);
    await doomed.start();
    platform.release(doomed.name);
  } finally {
    counted.leave();
  }
}

/** As many chats of one person as are allowed; one more is tried only while all of them are open. */
function countChats(stage: Stage): Counted {
  const buyerId = freshId("buyer");
  const sockets = Array.from({ length: ALLOWED }, () => open(stage, buyerId));
  const isOpen = ({ state }: Socket) => state.phase === "open";
  return {
    what: `all ${ALLOWED} chats are open, and one more is not let in`,
    async isRight() {
      if (!sockets.every(isOpen)) return false;
      const eleventh = open(stage, buyerId);
      const isLetIn = (await timeUntil(() => isOpen(eleventh), 1_500)) !== null;
      eleventh.close();
      return !isLetIn;
    },
    leave() {
      for (const socket of sockets) socket.close();
    },
  };
}

async function countDevices(stage: Stage): Promise<Counted> {
  const { platform, url } = stage;
  const vendorId = freshId("vendor");
  const probes = await Promise.all(
    Array.from({ length: DEVICES }, () => openStreamProbe(platform, url, vendorId)),
  );
  return {
    what: `all ${DEVICES} streams are open, and as many devices are counted`,
    async isRight() {
      if (!probes.every(({ isOpen }) => isOpen)) return false;
      const path = `/api/vendor/${vendorId}/orders`;
      const order = makeOrder(freshId("order"));
      const { body } = await request(platform, BACKEND, "POST", url + path, order);
      return body.devices === DEVICES;
    },
    leave() {
      for (const probe of probes) probe.leave();
    },
  };
}

function open({ load }: Stage, buyerId: string): Socket {
  return openSocket({
    url: `${load.target.socketUrl}/api/chat/ws`,
    token: () => load.target.tokenFor({ role: "buyer", sub: buyerId }),
    WebSocket,
    // Sooner than people come back, so that what is measured is the platform.
    backoffMs: { base: 250, cap: 2_000 },
    onFrame() {},
  });
}
