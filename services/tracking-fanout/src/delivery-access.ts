import type { Delivery } from "@localstreet/contracts/tracking";
import { isFinal } from "@localstreet/contracts/tracking";
import type { Principal } from "@localstreet/service-kit/auth";

/** Whether the delivery is this buyer's, or of a vendor that this member of staff acts for (PROTOCOL.md T4). */
export function isParty(principal: Principal, delivery: Delivery): boolean {
  if (principal.role === "buyer") return principal.personId === delivery.buyerId;
  return principal.role === "vendor" && principal.vendors.has(delivery.vendorId);
}

/** Whether the courier of this delivery may be watched now (PROTOCOL.md T6). */
export function mayWatch(principal: Principal, delivery: Delivery): boolean {
  return isParty(principal, delivery) && !isFinal(delivery.status);
}
