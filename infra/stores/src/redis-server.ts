import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { REDIS_GRANTS } from "@localstreet/contracts/grants";
import { requireBinary } from "./binaries.ts";
import type { StoreAccount, StorePasswords } from "./credentials.ts";
import { type PrivateServer, startPrivateServer } from "./private-server.ts";

export interface RedisServer extends PrivateServer {
  /** How `account` connects, user and password included. An account without grants is refused by the server. */
  url(account: StoreAccount): string;
}

/** One redis-server that keeps nothing on disk, with no default user and one for each service that needs Redis. */
export async function startRedis(options: {
  dir: string;
  port?: number | undefined;
  logFile?: string | undefined;
  passwords: StorePasswords;
}): Promise<RedisServer> {
  const binary = requireBinary("redis-server");
  const server = await startPrivateServer({
    name: "redis",
    dir: options.dir,
    port: options.port,
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    async prepare(dir, port) {
      const file = join(dir, "redis.conf");
      writeFileSync(file, redisConfig({ dir, port, passwords: options.passwords }), {
        mode: 0o600,
      });
      return { command: binary, args: [file] };
    },
    isReady: (_dir, port) => answersPing(port, options.passwords.admin),
  });
  return Object.assign(server, {
    url: (account: StoreAccount) =>
      `redis://${account}:${options.passwords[account]}@127.0.0.1:${server.port}`,
  });
}

function redisConfig(options: { dir: string; port: number; passwords: StorePasswords }): string {
  const users = Object.entries(REDIS_GRANTS).map(([user, rules]) => {
    const password = options.passwords[user as StoreAccount];
    return `user ${user} on >${password} resetkeys resetchannels -@all ${rules.join(" ")}`;
  });
  return `bind 127.0.0.1
port ${options.port}
dir ${JSON.stringify(options.dir)}
save ""
appendonly no
user default off resetpass resetkeys resetchannels -@all
user admin on >${options.passwords.admin} ~* &* +@all
${users.join("\n")}
`;
}

async function answersPing(port: number, password: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 2_000 });
    let answer = "";
    const finish = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.once("error", () => finish(false));
    socket.once("timeout", () => finish(false));
    socket.once("close", () => finish(false));
    socket.write(`AUTH admin ${password}\r\nPING\r\n`);
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      if (answer.includes("+PONG")) finish(true);
      else if (answer.includes("-")) finish(false);
    });
  });
}
