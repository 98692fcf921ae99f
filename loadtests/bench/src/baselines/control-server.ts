import { createServer } from "node:net";

/** Takes `<topic> <bytes>\n` and a body, again and again: how a baseline without a bus is told what to send. */
export async function listenForControl(
  onMessage: (topic: number, body: Buffer) => void,
): Promise<number> {
  const server = createServer((socket) => {
    let pending: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      for (;;) {
        const lineEnd = pending.indexOf(10);
        if (lineEnd === -1) return;
        const [topic, bytes] = pending.toString("latin1", 0, lineEnd).split(" ").map(Number);
        const end = lineEnd + 1 + (bytes as number);
        if (pending.length < end) return;
        onMessage(topic as number, pending.subarray(lineEnd + 1, end));
        pending = pending.subarray(end);
      }
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}

/** The number at the end of a path. */
export function topicOf(url: string | undefined): number {
  return Number(/(\d+)$/.exec(url ?? "")?.[1] ?? 0);
}

/** Tells whoever started this process where it listens. */
export function announce(ports: { port: number; controlPort?: number }): void {
  process.stdout.write(`${JSON.stringify(ports)}\n`);
}
