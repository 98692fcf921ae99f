import { streetMapUrl } from "virtual:street-map";
import type { StreetMap } from "./street.ts";
import { decodeStreets } from "./street-file.ts";

let loading: Promise<StreetMap> | undefined;

/** The city's streets, fetched once for the page. A failure is not kept: the next call tries again. */
export function loadStreetMap(): Promise<StreetMap> {
  loading ??= fetchStreetMap().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function fetchStreetMap(): Promise<StreetMap> {
  const response = await fetch(streetMapUrl, { signal: AbortSignal.timeout(30_000) });
  if (!response.ok) throw new Error(`the map answered HTTP ${response.status}`);
  return decodeStreets(new Uint8Array(await response.arrayBuffer()));
}
