import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP relay in front of a server: a network path that can fail. */
export async function startRelay(targetPort: number) {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((inbound) => {
    if (isCut) return inbound.destroy();
    const outbound = connect(targetPort, "127.0.0.1");
    for (const [from, to] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Open connections carry nothing any more and stay open; new ones work. */
    stall() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    /** Open connections end, and new ones do until `restore`. */
    cut() {
      isCut = true;
      destroyAll();
    },
    restore() {
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      destroyAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
