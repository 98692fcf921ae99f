import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { requireBinary } from "@localstreet/stores/binaries";
import { type PrivateServer, startPrivateServer } from "@localstreet/stores/private-server";
import { chooseUnprivileged } from "@localstreet/stores/unprivileged";

/**
 * An nginx as somebody puts it before the gateway without a thought of streams: all of its settings for proxies are the
 * defaults, which buffer answers. `passUpgrades` adds what nginx's own pages say for WebSockets.
 */
export async function startStockNginx(options: {
  dir: string;
  target: string;
  passUpgrades?: boolean;
}): Promise<PrivateServer> {
  const { target, passUpgrades = false } = options;
  const unprivileged = chooseUnprivileged();
  const upgrades = `proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;`;
  return await startPrivateServer({
    name: "stock-nginx",
    dir: options.dir,
    stopSignal: "SIGTERM",
    async prepare(dir, port) {
      for (const folder of ["run", "tmp"]) {
        mkdirSync(join(dir, folder), { recursive: true });
        unprivileged.makeDir(join(dir, folder));
      }
      writeFileSync(
        join(dir, "nginx.conf"),
        `daemon off;
pid run/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path tmp/body;
  proxy_temp_path tmp/proxy;
  fastcgi_temp_path tmp/fastcgi;
  uwsgi_temp_path tmp/uwsgi;
  scgi_temp_path tmp/scgi;
  map $http_upgrade $connection_header { default upgrade; "" close; }
  server {
    listen 127.0.0.1:${port};
    location / {
      ${passUpgrades ? upgrades : ""}
      proxy_pass ${target};
    }
  }
}
`,
      );
      return {
        prefix: unprivileged.prefix,
        command: requireBinary("nginx"),
        args: ["-p", dir, "-c", "nginx.conf", "-e", "stderr"],
        orphanSignal: "SIGTERM",
      };
    },
    isReady: (_dir, port) =>
      new Promise((resolve) => {
        const socket = connect({ host: "127.0.0.1", port });
        socket.once("connect", () => socket.destroy());
        socket.once("error", () => resolve(false));
        socket.once("close", (failed) => resolve(!failed));
      }),
  });
}
