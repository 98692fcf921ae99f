import type { DeliveryStatus, DriverState } from "@localstreet/contracts/tracking";
import { useMemo } from "react";
import { formatAge } from "../age.ts";
import { ConnectionChip, explainRefusal } from "../connection-chip.tsx";
import type { Delivery, Vendor } from "../directory/directory.ts";
import { CityMap } from "../map/city-map.tsx";
import type { MapScene } from "../map/map-scene.ts";
import { useNow } from "../use-now.ts";
import { courierStateAt } from "./courier-state.ts";
import type { TrackingState } from "./tracking-session.ts";

const STEPS: readonly { status: DeliveryStatus; text: string }[] = [
  { status: "assigned", text: "Assigned" },
  { status: "picked_up", text: "Picked up" },
  { status: "arriving", text: "Arriving" },
  { status: "delivered", text: "Delivered" },
];

export function DeliveryPanel(props: {
  delivery: Delivery | null;
  /** Of the delivery, where it is known. */
  vendor: Vendor | null;
  buyerName: string | null;
  tracking: TrackingState;
}) {
  const { delivery, vendor, buyerName, tracking } = props;
  const now = useNow(1_000);
  const newest = tracking.positions.at(-1);
  const fixAgeMs = newest ? Math.max(0, now - Date.parse(newest.recordedAt)) : null;
  const state = courierStateAt(newest, now);
  const status = tracking.status ?? delivery?.listed?.status ?? null;
  const scene = useMemo(
    (): MapScene => ({
      key: delivery?.deliveryId ?? null,
      fixes: tracking.positions.map(({ lat, lng, accuracy, recordedAt }) => ({
        lat,
        lng,
        accuracyMeters: accuracy,
        id: recordedAt,
      })),
      state,
      shop: vendor?.place ? { place: vendor.place, name: vendor.name } : null,
      shopAhead: status === "assigned",
      destination: delivery?.listed?.destination ?? null,
    }),
    [delivery, vendor, tracking.positions, state, status],
  );
  const courier = describeCourier(tracking, state, fixAgeMs);
  return (
    <section className="panel delivery" aria-labelledby="delivery-title">
      <header className="panel-head">
        <div className="panel-title">
          <h2 id="delivery-title">Delivery</h2>
          <p>{describeWay(delivery, vendor?.name ?? null, buyerName)}</p>
        </div>
        {delivery && (
          <ConnectionChip
            state={tracking.connection}
            of="Courier"
            unreadable={tracking.unreadable}
          />
        )}
      </header>
      <CityMap scene={scene} />
      {delivery && (
        <div className="delivery-card">
          <Progress status={status} />
          <p className={`courier courier-${state}`}>
            <span className="courier-dot" aria-hidden="true" />
            {courier}
          </p>
        </div>
      )}
    </section>
  );
}

function Progress({ status }: { status: DeliveryStatus | null }) {
  if (status === "cancelled") return <p className="cancelled">This delivery was cancelled.</p>;
  const reached = STEPS.findIndex((step) => step.status === status);
  return (
    <ol className="progress" aria-label="Progress of the delivery">
      {STEPS.map((step, i) => (
        <li
          key={step.status}
          className={i < reached ? "step-done" : i === reached ? "step-now" : "step-ahead"}
          aria-current={i === reached ? "step" : undefined}
        >
          {step.text}
        </li>
      ))}
    </ol>
  );
}

function describeWay(
  delivery: Delivery | null,
  vendorName: string | null,
  buyerName: string | null,
): string {
  if (!delivery) return "Nothing is under way";
  if (!vendorName && !buyerName) return delivery.deliveryId;
  return `${vendorName ?? "a vendor"} to ${buyerName ?? "a buyer"}`;
}

function describeCourier(
  { refused, positions, connection, status }: TrackingState,
  state: DriverState,
  fixAgeMs: number | null,
): string {
  if (status === "delivered") return "The courier has arrived";
  if (refused === "not-found") return "This delivery is over, or not for this token";
  if (refused) return `Not shown: ${explainRefusal(refused)}`;
  if (connection.phase === "refused") return `Not shown: ${explainRefusal(connection.code)}`;
  const newest = positions.at(-1);
  if (!newest || fixAgeMs === null) return "No position of the courier yet";
  const age = formatAge(fixAgeMs);
  if (state === "lost") return `Out of sight, last seen ${age}`;
  const parts = [state === "stale" ? `Last seen ${age}` : `Seen ${age}`];
  if (newest.accuracy !== null) parts.push(`± ${Math.round(newest.accuracy)} m`);
  if (state === "live" && newest.speed !== null)
    parts.push(`${Math.round(newest.speed * 3.6)} km/h`);
  return parts.join(" · ");
}
