import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { requireBinary } from "./binaries.ts";
import type { StoreAccount, StorePasswords } from "./credentials.ts";
import { type PrivateServer, startPrivateServer } from "./private-server.ts";
import { chooseUnprivileged } from "./unprivileged.ts";

export interface PostgresServer extends PrivateServer {
  /**
   * How `account` connects to `database` (`postgres` when absent), password included. `admin` is the superuser; the
   * roles of the services are created by `grantRoles` of packages/db.
   */
  url(account: StoreAccount, database?: string): string;
  /** What the accounts' URLs hold: `grantRoles` gives the roles the same. */
  readonly passwords: StorePasswords;
}

const run = promisify(execFile);

/**
 * One Postgres server, on TCP only (a socket's path has a length limit that a deep checkout passes).
 *
 * @param options.durable `false` turns fsync off: the data survives the death of the server, not of the machine.
 */
export async function startPostgres(options: {
  dir: string;
  port?: number | undefined;
  logFile?: string | undefined;
  passwords: StorePasswords;
  durable?: boolean;
}): Promise<PostgresServer> {
  const { passwords, durable = true } = options;
  const postgres = requireBinary("postgres");
  const initdb = requireBinary("initdb");
  const unprivileged = chooseUnprivileged();
  const dataOf = (dir: string) => join(dir, "data");

  async function createCluster(dir: string): Promise<void> {
    const data = dataOf(dir);
    // Written last: without it an earlier initdb was cut short.
    const complete = join(dir, "initialized");
    if (existsSync(complete)) return;
    rmSync(data, { recursive: true, force: true });
    unprivileged.makeDir(data);
    const passwordFile = join(dir, "admin-password");
    writeFileSync(passwordFile, `${passwords.admin}\n`, { mode: 0o600 });
    try {
      const [command, ...args] = [
        ...[...unprivileged.prefix, initdb],
        ...["-D", data, "-U", "admin", "--auth=scram-sha-256", `--pwfile=${passwordFile}`],
        ...["--encoding=UTF8", "--locale=C", "--no-instructions"],
        ...(durable ? [] : ["--no-sync"]),
      ];
      await run(command as string, args, { cwd: dir, timeout: 120_000 });
    } finally {
      rmSync(passwordFile, { force: true });
    }
    writeFileSync(complete, "");
  }

  const server = await startPrivateServer({
    name: "postgres",
    dir: options.dir,
    port: options.port,
    logFile: options.logFile,
    // Fast shutdown: ends sessions, then a checkpoint.
    stopSignal: "SIGINT",
    async prepare(dir, port) {
      await createCluster(dir);
      const settings = {
        listen_addresses: "127.0.0.1",
        port: String(port),
        unix_socket_directories: "",
        timezone: "UTC",
        log_timezone: "UTC",
        max_connections: "100",
        shared_buffers: "64MB",
        ...(durable ? {} : { fsync: "off", full_page_writes: "off" }),
      };
      const flags = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
      const args = ["-D", dataOf(dir), ...flags];
      return { prefix: unprivileged.prefix, command: postgres, args };
    },
    async isReady(dir, _port, pid) {
      try {
        // Lines 1 and 8 of the file: the pid and the state.
        const lines = readFileSync(join(dataOf(dir), "postmaster.pid"), "utf8").split("\n");
        return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
      } catch {
        return false;
      }
    },
  });
  return Object.assign(server, {
    passwords,
    url: (account: StoreAccount, database = "postgres") =>
      `postgres://${account}:${passwords[account]}@127.0.0.1:${server.port}/${database}`,
  });
}
