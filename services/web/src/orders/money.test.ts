import { expect, test } from "vitest";
import { formatMoney } from "./money.ts";

test("an amount in minor units is shown with the digits of its currency", () => {
  const plain = (text: string) => text.replaceAll(/\s/g, " ");
  expect(plain(formatMoney(18_550, "SEK", "sv-SE"))).toBe("185,50 kr");
  expect(plain(formatMoney(18_500, "SEK", "sv-SE"))).toBe("185 kr");
  expect(formatMoney(1_999, "USD", "en-US")).toBe("$19.99");
  expect(formatMoney(1_999, "JPY", "en-US")).toBe("¥1,999");
});
