import { useCallback, useEffect, useRef } from "react";
import type { PageToken } from "./fetch-json.ts";

/**
 * Somebody's token as connections and requests take it. One that was typed in stays as it is; one of the directory is read
 * again for each connection, because the simulator renews it, and `findNewer` looks into the directory once more when the
 * newest one was refused. Stable as long as the person is the same.
 */
export function useToken(
  person: { readonly token: string; readonly ownToken: boolean } | null,
  findNewer: () => Promise<string | null>,
): PageToken | null {
  const newest = useRef("");
  const find = useRef(findNewer);
  const token = person?.token ?? "";
  useEffect(() => {
    newest.current = token;
  }, [token]);
  useEffect(() => {
    find.current = findNewer;
  }, [findNewer]);
  const renewed = useCallback(async (refused?: string) => {
    if (refused === undefined || refused !== newest.current) return newest.current;
    return (await find.current()) ?? refused;
  }, []);
  if (!person) return null;
  return person.ownToken ? person.token : renewed;
}
