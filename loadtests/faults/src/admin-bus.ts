import { type Bus, connectBus } from "@localstreet/bus/connection";
import type { Platform } from "@localstreet/local/platform";

/** A connection to NATS that may do everything, past every proxy. */
export async function openAdminBus(platform: Platform): Promise<Bus> {
  return await connectBus({ ...platform.stores.nats.as("admin"), name: "chaos" });
}
