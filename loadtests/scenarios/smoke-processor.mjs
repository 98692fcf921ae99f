// Artillery runs visitors in worker threads, which know TypeScript only once told.
import { register } from "tsx/esm/api";

register();
export const { chatBothWays } = await import("./src/chat-steps.ts");
export const { expectOrderAccepted, expectOrders, openVendorStreams, writeOrder } = await import(
  "./src/order-steps.ts"
);
export const {
  expectDeliveryCreated,
  expectDeliveryUpdated,
  expectEnd,
  expectFix,
  expectFixAccepted,
  watchDelivery,
  writeAssignedDelivery,
  writeEndedDelivery,
  writeFix,
} = await import("./src/tracking-steps.ts");
