// Loaded before tsx, which then translates what this has changed: the source of one file, in one place.
import { register } from "node:module";

// biome-ignore lint/style/noProcessEnv: the only way into a process before its first module
register("./mutate-hook.mjs", import.meta.url, {
  data: JSON.parse(process.env.LOCALSTREET_MUTANT),
});
