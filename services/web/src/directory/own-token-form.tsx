import { deliveryIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { type FormEvent, useId, useState } from "react";
import type { OwnEntries } from "./directory.ts";

interface Field {
  readonly name: "vendorId" | "vendorToken" | "buyerId" | "buyerToken" | "deliveryId";
  readonly label: string;
}

const FIELDS: readonly Field[] = [
  { name: "vendorId", label: "Vendor id" },
  { name: "vendorToken", label: "Token of its staff" },
  { name: "buyerId", label: "Buyer id" },
  { name: "buyerToken", label: "Token of the buyer" },
  { name: "deliveryId", label: "Delivery id (of that vendor or buyer)" },
];

/** A form for ids and tokens of one's own. They stay in this page and go to its server only. */
export function OwnTokenForm({ onUse }: { onUse(own: OwnEntries): void }) {
  const formId = useId();
  const [fault, setFault] = useState<string | null>(null);

  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const own = readOwnEntries(new FormData(event.currentTarget));
    setFault(typeof own === "string" ? own : null);
    if (typeof own !== "string") onUse(own);
  }

  return (
    <form className="own-form" onSubmit={submit} aria-describedby={`${formId}-fault`}>
      {FIELDS.map(({ name, label }) => (
        <div key={name} className={`field field-${name}`}>
          <label htmlFor={`${formId}-${name}`}>{label}</label>
          <input
            id={`${formId}-${name}`}
            name={name}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
          />
        </div>
      ))}
      <p id={`${formId}-fault`} className="fault" role="alert">
        {fault}
      </p>
      <button type="submit" className="button button-primary">
        Use these
      </button>
    </form>
  );
}

/** @returns what is wrong, as a sentence, or the entries. */
function readOwnEntries(form: FormData): OwnEntries | string {
  const text = (name: Field["name"]) => String(form.get(name) ?? "").trim();
  const vendorToken = text("vendorToken");
  const buyerToken = text("buyerToken");
  const vendorId = vendorIdSchema.safeParse(text("vendorId"));
  const buyerId = personIdSchema.safeParse(text("buyerId"));
  const deliveryId = deliveryIdSchema.safeParse(text("deliveryId"));
  if ((text("vendorId") || vendorToken) && !(vendorId.success && vendorToken)) {
    return "A vendor needs its id (letters, digits, - and _) and a token.";
  }
  if ((text("buyerId") || buyerToken) && !(buyerId.success && buyerToken)) {
    return "A buyer needs its id (letters, digits, - and _) and a token.";
  }
  if (text("deliveryId") && !deliveryId.success) {
    return "A delivery id has letters, digits, - and _ only.";
  }
  if (!vendorId.success && !buyerId.success) return "Give a vendor or a buyer with its token.";
  return {
    vendor: vendorId.success ? { vendorId: vendorId.data, token: vendorToken } : null,
    buyer: buyerId.success ? { buyerId: buyerId.data, token: buyerToken } : null,
    deliveryId: deliveryId.success ? deliveryId.data : null,
  };
}
