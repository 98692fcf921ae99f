import { expect, test } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { encodeClientFrame, encodeServerFrame } from "./ws-frames.ts";

test("`ws` reads the frames of either side, short and long", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  try {
    const texts = ["short", "é".repeat(1_000)];
    const read = { server: [] as string[], client: [] as string[] };
    const done = new Promise<void>((resolve) => {
      const note = (side: "server" | "client") => (data: WebSocket.RawData) => {
        read[side].push(data.toString());
        if (read.server.length === 2 && read.client.length === 2) resolve();
      };
      server.on("connection", (socket, request) => {
        socket.on("message", note("server"));
        for (const text of texts) request.socket.write(encodeServerFrame(text));
      });
      server.once("listening", () => {
        const { port } = server.address() as { port: number };
        const client = new WebSocket(`ws://127.0.0.1:${port}`);
        client.on("message", note("client"));
        client.on("open", () => {
          const { _socket: raw } = client as unknown as { _socket: NodeJS.WritableStream };
          for (const text of texts) raw.write(encodeClientFrame(text));
        });
      });
    });
    await done;
    expect(read).toEqual({ server: texts, client: texts });
  } finally {
    for (const socket of server.clients) socket.terminate();
    server.close();
  }
});
