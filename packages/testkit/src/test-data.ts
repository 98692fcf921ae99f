import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const CHECKOUT = join(import.meta.dirname, "../../..");

/**
 * The path of a file or folder of published test vectors, as in `wycheproof/json_web_signature_test.json`; `null` where
 * they are absent: they are no part of this repository. They are looked for in `LOCALSTREET_TEST_DATA`, or else in
 * `../shared/data` beside the checkout. A test that needs them says so by `test.skipIf`.
 */
export function testData(path: string): string | null {
  // biome-ignore lint/style/noProcessEnv: tests have no main.ts that could hand it over.
  const folder = process.env.LOCALSTREET_TEST_DATA || "../shared/data";
  const found = resolve(CHECKOUT, folder, path);
  return existsSync(found) ? found : null;
}

/** Every emoji that Unicode names, with joiners, skins and flags; none where the files are absent. */
export function emojiSequences(): string[] {
  const path = testData("unicode/emoji-test.txt");
  if (path === null) return [];
  return [...readFileSync(path, "utf8").matchAll(/^([0-9A-F ]+?) *;/gm)].map(([, points]) =>
    String.fromCodePoint(
      ...(points as string).split(" ").map((point) => Number.parseInt(point, 16)),
    ),
  );
}

/** No texts (PROTOCOL.md G6): NUL, halves of pairs, a pair the wrong way round. */
export const BROKEN_TEXTS = [
  "\0",
  "a\0b",
  "\ud83e",
  "a\udd50b",
  "\udd50\ud83e",
  "\u{1f950}\ud83e",
] as const;
