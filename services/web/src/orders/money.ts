const formats = new Map<string, Intl.NumberFormat>();

/** An amount in the currency's minor unit, as the viewer writes money. */
export function formatMoney(minorUnits: number, currency: string, locale?: string): string {
  const key = `${locale} ${currency}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, {
      style: "currency",
      currency,
      currencyDisplay: "narrowSymbol",
      trailingZeroDisplay: "stripIfInteger",
    });
    formats.set(key, format);
  }
  return format.format(minorUnits / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}
