import {
  type VendorEventData,
  type VendorEventKind,
  vendorEventSchemas,
} from "@localstreet/contracts/vendor-events";

/** The checked data of a stored event of one kind or another. */
export type ParsedEvent = {
  [K in VendorEventKind]: { readonly kind: K; readonly data: VendorEventData<K> };
}[VendorEventKind];

/** What a stored event says. `foreign`: of no kind that is known here. `malformed`: not what its kind has to be. */
export function parseStoredEvent(stored: {
  readonly kind: string | null;
  readonly data: Uint8Array;
}): ParsedEvent | "foreign" | "malformed" {
  const { kind } = stored;
  if (kind === null || !Object.hasOwn(vendorEventSchemas, kind)) return "foreign";
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(stored.data).toString());
  } catch {
    return "malformed";
  }
  const checked = vendorEventSchemas[kind as VendorEventKind].safeParse(value);
  return checked.success ? ({ kind, data: checked.data } as ParsedEvent) : "malformed";
}
