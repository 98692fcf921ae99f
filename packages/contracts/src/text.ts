import { z } from "zod";

// With the `u` flag a pair is one code point, so this matches lone surrogates only.
const LONE_SURROGATE = /\p{Surrogate}/u;

/** In JSON Schema, which cannot say it. */
export const TEXT_DESCRIPTION = "Text without NUL and lone surrogates";

/**
 * What people write, up to `maxCharacters` characters (code points), stored and returned as sent (PROTOCOL.md G6). NUL and
 * lone surrogates are refused: Postgres stores the former in no text and U+FFFD for the latter without a word.
 */
export function textSchema(maxCharacters: number, minCharacters = 1) {
  return (
    z
      .string()
      .min(minCharacters)
      .refine(
        (text) => isNotLonger(text, maxCharacters),
        `must be ${maxCharacters} characters at most`,
      )
      .refine((text) => !text.includes("\0"), "must not contain NUL")
      .refine((text) => !LONE_SURROGATE.test(text), "must be well-formed Unicode")
      // JSON Schema counts code points too; zod cannot see into the check above.
      .meta({ maxLength: maxCharacters, description: TEXT_DESCRIPTION })
  );
}

function isNotLonger(text: string, maxCharacters: number): boolean {
  // A character is one or two units: most texts need no count.
  if (text.length <= maxCharacters) return true;
  return text.length <= maxCharacters * 2 && [...text].length <= maxCharacters;
}
