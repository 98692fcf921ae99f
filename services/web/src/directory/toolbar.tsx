import type { DeliveryId, PersonId, VendorId } from "@localstreet/contracts/ids";
import { type DeliveryStatus, isFinal } from "@localstreet/contracts/tracking";
import { useRef } from "react";
import type { Delivery, Directory, OwnEntries } from "./directory.ts";
import { OwnTokenForm } from "./own-token-form.tsx";
import { Picker } from "./picker.tsx";
import type { DirectoryState } from "./poll-directory.ts";
import type { Selection } from "./selection.ts";

const STATUS_TEXT: Record<DeliveryStatus, string> = {
  assigned: "assigned",
  picked_up: "on the way",
  arriving: "arriving",
  delivered: "delivered",
  cancelled: "cancelled",
};

export function Toolbar(props: {
  directory: Directory;
  phase: DirectoryState["phase"];
  selection: Selection;
  follow: boolean;
  onVendor(vendorId: VendorId): void;
  onBuyer(buyerId: PersonId): void;
  onDelivery(deliveryId: DeliveryId): void;
  onFollow(follow: boolean): void;
  onOwn(own: OwnEntries): void;
}) {
  const { directory, phase, selection, follow } = props;
  const offered = directory.deliveries.filter(
    ({ deliveryId, listed }) =>
      deliveryId === selection.deliveryId || !listed || !isFinal(listed.status),
  );
  return (
    <header className="toolbar">
      <div className="brand">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="9" className="brand-ground" />
          <path
            d="M16 6.5a7 7 0 0 1 7 7c0 4.6-4.7 9-7 12-2.3-3-7-7.4-7-12a7 7 0 0 1 7-7Z"
            className="brand-mark"
          />
          <circle cx="16" cy="13.5" r="2.8" className="brand-ground" />
        </svg>
        <div>
          <h1>Localstreet</h1>
          <p>
            {phase === "unreachable" ? "The platform does not answer" : describeCity(directory)}
          </p>
        </div>
      </div>
      <div className="pickers">
        <Picker
          label="Vendor"
          value={selection.vendorId}
          none="No vendor"
          options={directory.vendors.map(({ vendorId, name }) => ({ id: vendorId, text: name }))}
          onPick={props.onVendor}
        />
        <Picker
          label="Buyer"
          value={selection.buyerId}
          none="No buyer"
          options={directory.buyers.map(({ buyerId, name }) => ({ id: buyerId, text: name }))}
          onPick={props.onBuyer}
        />
        <Picker
          label="Delivery"
          value={selection.deliveryId}
          none="None under way"
          options={offered.map((delivery) => ({
            id: delivery.deliveryId,
            text: nameDelivery(delivery, directory),
          }))}
          onPick={props.onDelivery}
        />
      </div>
      <label className="switch">
        <input
          type="checkbox"
          role="switch"
          checked={follow}
          aria-checked={follow}
          onChange={(event) => props.onFollow(event.target.checked)}
        />
        <span className="switch-track" aria-hidden="true" />
        Follow the newest
      </label>
      <OwnToken onUse={props.onOwn} />
    </header>
  );
}

function OwnToken({ onUse }: { onUse(own: OwnEntries): void }) {
  const details = useRef<HTMLDetailsElement>(null);
  const summary = useRef<HTMLElement>(null);
  function close(): void {
    details.current?.removeAttribute("open");
    summary.current?.focus();
  }
  return (
    <details
      className="own"
      ref={details}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}
    >
      <summary className="button" ref={summary}>
        Own token
      </summary>
      <div className="own-body">
        <p>Ids and tokens of your own. They stay in this page.</p>
        <OwnTokenForm
          onUse={(own) => {
            close();
            onUse(own);
          }}
        />
      </div>
    </details>
  );
}

function describeCity({ city, unreadable }: Directory): string {
  if (unreadable === 0) return city ?? "";
  const entries = unreadable === 1 ? "1 entry" : `${unreadable} entries`;
  return `${city ?? ""} · ${entries} could not be read`;
}

function nameDelivery({ deliveryId, listed }: Delivery, directory: Directory): string {
  if (!listed) return deliveryId;
  const vendor = directory.vendors.find(({ vendorId }) => vendorId === listed.vendorId);
  const buyer = directory.buyers.find(({ buyerId }) => buyerId === listed.buyerId);
  const from = vendor?.name ?? listed.vendorId;
  return `${from} to ${buyer?.name ?? listed.buyerId}, ${STATUS_TEXT[listed.status]}`;
}
