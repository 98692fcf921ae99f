import { useCallback, useEffect, useRef } from "react";

/**
 * Somebody's token as connections take it. One that was typed in stays as it is; one of the directory is read again for
 * each connection, because the simulator renews it. Stable as long as the person is the same.
 */
export function useToken(
  person: { readonly token: string; readonly ownToken: boolean } | null,
): string | (() => string) | null {
  const newest = useRef("");
  const token = person?.token ?? "";
  useEffect(() => {
    newest.current = token;
  }, [token]);
  const renewed = useCallback(() => newest.current, []);
  if (!person) return null;
  return person.ownToken ? person.token : renewed;
}
