import {
  storedEventSchemas,
  type VendorEventData,
  type VendorEventKind,
} from "@localstreet/contracts/vendor-events";

/** The checked data of a stored event of one kind or another. */
export type ParsedEvent = {
  [K in VendorEventKind]: { readonly kind: K; readonly data: VendorEventData<K> };
}[VendorEventKind];

/** A stored event that this version cannot read, and why: in words, without anything of the event's own text. */
export interface NotUnderstood {
  readonly kind: null;
  readonly reason: string;
}

/** What a stored event says. Fields that are not known here are kept, and change nothing (PROTOCOL.md S44). */
export function parseStoredEvent(stored: {
  readonly kind: string | null;
  readonly data: Uint8Array;
}): ParsedEvent | NotUnderstood {
  const { kind } = stored;
  if (kind === null || !Object.hasOwn(storedEventSchemas, kind)) {
    return { kind: null, reason: "its kind is not known" };
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(stored.data).toString());
  } catch {
    return { kind: null, reason: "it is no JSON" };
  }
  const checked = storedEventSchemas[kind as VendorEventKind].safeParse(value);
  if (checked.success) return { kind, data: checked.data } as ParsedEvent;
  const [issue] = checked.error.issues;
  return { kind: null, reason: `${issue?.path.join(".") || "it"}: ${issue?.code}` };
}
