import { type AddressInfo, createServer } from "node:net";

export interface ReservedPort {
  readonly port: number;
  /** Frees it for the one who listens next. */
  release(): Promise<void>;
}

/** Holds `port`, or with 0 any free one, until it is released. @returns `null` when it is taken. */
export async function reservePort(port: number, host = "127.0.0.1"): Promise<ReservedPort | null> {
  const server = createServer((socket) => socket.destroy());
  return await new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(null);
      else reject(error);
    });
    server.listen({ host, port }, () => {
      const address = server.address() as AddressInfo;
      resolve({
        port: address.port,
        release: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}

/** A port of `host` that was free a moment ago. Another process may take it before its user does: retry then. */
export async function findFreePort(host = "127.0.0.1"): Promise<number> {
  const reserved = await reservePort(0, host);
  if (reserved === null) throw new Error(`${host} has no free port`);
  await reserved.release();
  return reserved.port;
}
