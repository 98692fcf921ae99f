import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { findBinary } from "@localstreet/stores/binaries";
import { findFreePort } from "@localstreet/stores/free-port";
import { type PrivateServer, startPrivateServer } from "@localstreet/stores/private-server";
import { chooseUnprivileged } from "@localstreet/stores/unprivileged";

const MODULES = [
  "/usr/lib/nginx/modules/ngx_nchan_module.so",
  "/usr/share/nginx/modules/ngx_nchan_module.so",
  "/usr/lib64/nginx/modules/ngx_nchan_module.so",
];

/** Why nchan cannot run here; `null` when it can. */
export function nchanMissing(): string | null {
  if (findBinary("nginx") === null) return "nginx is not installed: apt-get install nginx";
  if (findModule() === undefined) {
    return "nginx has no nchan module: apt-get install libnginx-mod-nchan";
  }
  return null;
}

function findModule(): string | undefined {
  return MODULES.find((file) => existsSync(file));
}

/** nginx with nchan: POST to `/pub/<channel>`, listen at `/sse/<channel>` and `/ws/<channel>`. */
export async function startNchan(dir: string): Promise<PrivateServer> {
  const unprivileged = chooseUnprivileged();
  return await startPrivateServer({
    name: "nchan",
    dir,
    stopSignal: "SIGTERM",
    async prepare(root, port) {
      for (const folder of ["run", "tmp"]) unprivileged.makeDir(join(root, folder));
      mkdirSync(root, { recursive: true });
      writeFileSync(join(root, "nginx.conf"), nchanConfig(port || (await findFreePort())));
      return {
        prefix: unprivileged.prefix,
        command: findBinary("nginx") ?? "nginx",
        args: ["-p", root, "-c", "nginx.conf", "-e", "stderr"],
        orphanSignal: "SIGTERM",
      };
    },
    isReady: (_dir, port) => accepts(port),
  });
}

function nchanConfig(port: number): string {
  return `daemon off;
pid run/nginx.pid;
load_module ${findModule()};
worker_processes 1;
worker_rlimit_nofile 20000;
error_log stderr error;
events { worker_connections 15000; }
http {
  client_body_temp_path tmp/body;
  proxy_temp_path tmp/proxy;
  fastcgi_temp_path tmp/fastcgi;
  uwsgi_temp_path tmp/uwsgi;
  scgi_temp_path tmp/scgi;
  access_log off;
  tcp_nodelay on;
  keepalive_requests 100000000;
  nchan_shared_memory_size 256M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/pub/([-0-9a-z]+)$ { nchan_publisher; nchan_channel_id $1; }
    location ~ ^/sse/([-0-9a-z]+)$ {
      nchan_subscriber eventsource; nchan_channel_id $1; nchan_subscriber_first_message newest;
    }
    location ~ ^/ws/([-0-9a-z]+)$ {
      nchan_subscriber websocket; nchan_channel_id $1; nchan_subscriber_first_message newest;
    }
  }
}
`;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 1_000 });
    const finish = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
    socket.once("timeout", () => finish(false));
  });
}
