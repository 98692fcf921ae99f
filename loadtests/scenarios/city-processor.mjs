// Artillery runs visitors in worker threads, which know TypeScript only once told.
import { register } from "tsx/esm/api";

register();
export const {
  awaitVerdict,
  beBusy,
  countStream,
  enter,
  expectOrders,
  hearAgain,
  hearStream,
  leave,
  openChat,
  openDelivery,
} = await import("./src/city-steps.ts");
export const { enterByCable, enterSale, expectSale, expectStorm } = await import(
  "./src/special-steps.ts"
);
