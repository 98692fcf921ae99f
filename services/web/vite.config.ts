import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig } from "vite";
import { streetMapPlugin } from "./build/street-map-plugin.ts";

const gateway = process.env.LOCALSTREET_GATEWAY ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), streetMapPlugin()],
  // Our own packages are read from source: nothing needs to be built before the page.
  resolve: { conditions: ["source", ...defaultClientConditions] },
  build: {
    // The gateway's content security policy allows files of its own, and no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/api": { target: gateway, ws: true },
      "/demo": { target: gateway },
    },
  },
});
