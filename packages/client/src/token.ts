/** A token, or a function that is asked for one before each attempt to connect and whenever the old one ends. */
export type TokenSource = string | (() => string | Promise<string>);

/** Whether asking again can give another token. */
export function isRenewable(source: TokenSource): boolean {
  return typeof source === "function";
}

export async function askToken(source: TokenSource): Promise<string> {
  return typeof source === "function" ? await source() : source;
}
