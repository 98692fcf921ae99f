import type { Plugin } from "vite";
import { encodeStreets } from "../src/map/street-file.ts";
import { findWaysFile, readStreets } from "./read-streets.ts";

const MODULE = "virtual:street-map";
const DEV_PATH = "/street-map.bin";

/**
 * `import { streetMapUrl } from "virtual:street-map"`: the address of the streets' file, made from OpenStreetMap's ways when
 * the page is built (or when the development server is first asked for it). Data © OpenStreetMap contributors, ODbL.
 */
export function streetMapPlugin(): Plugin {
  let building = false;
  const encode = () => encodeStreets(readStreets(findWaysFile()));
  return {
    name: "street-map",
    configResolved(config) {
      building = config.command === "build";
    },
    resolveId(source) {
      return source === MODULE ? `\0${MODULE}` : null;
    },
    load(id) {
      if (id !== `\0${MODULE}`) return null;
      if (!building) return `export const streetMapUrl = ${JSON.stringify(DEV_PATH)};`;
      const file = this.emitFile({ type: "asset", name: "streets.bin", source: encode() });
      return `export const streetMapUrl = import.meta.ROLLUP_FILE_URL_${file};`;
    },
    configureServer(server) {
      let bytes: Uint8Array | undefined;
      server.middlewares.use(DEV_PATH, (_request, response) => {
        bytes ??= encode();
        response.setHeader("Content-Type", "application/octet-stream");
        response.end(bytes);
      });
    },
  };
}
