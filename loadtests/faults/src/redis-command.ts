import { connect } from "node:net";

/** One command, as whom the URL names. @throws when the answer is not `+OK`. */
export async function sendToRedis(url: string, command: string): Promise<void> {
  const { hostname, port, username, password } = new URL(url);
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: 5_000 });
    let said = "";
    const finish = (error?: Error) => {
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    socket.once("error", finish);
    socket.once("timeout", () => finish(new Error("Redis does not answer")));
    socket.on("data", (chunk) => {
      said += chunk.toString("latin1");
      if (said.includes("-")) finish(new Error(`Redis: ${said.trim()}`));
      else if (said === "+OK\r\n+OK\r\n") finish();
    });
    socket.write(`AUTH ${username} ${password}\r\n${command}\r\n`);
  });
}
