// Loaded before tsx, which then translates what this has changed: the source of one file, in one place.
import { register } from "node:module";

register("./mutate-hook.mjs", import.meta.url, {
  data: JSON.parse(process.env.LOCALSTREET_MUTANT),
});
