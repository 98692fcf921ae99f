import { createRequire } from "node:module";
import type pathFinderModule from "geojson-path-finder";

const require = createRequire(import.meta.url);

// A CommonJS package with its class under `default`, which Node, bundlers and test runners import differently.
const loaded = require("geojson-path-finder") as typeof pathFinderModule;
export const PathFinder = loaded.default;
