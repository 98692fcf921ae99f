import { existsSync } from "node:fs";
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
