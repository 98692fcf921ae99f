import {
  postActivitySchema,
  type StoredActivity,
  vendorSettingsSchema,
} from "@localstreet/contracts/dashboard";
import { vendorIdSchema } from "@localstreet/contracts/ids";
import type { Pool } from "@localstreet/db/pool";
import { writeVendorSettings } from "@localstreet/db/vendor-settings";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { requireToken, type SharedRates } from "@localstreet/service-kit/shared-rate";
import { z } from "zod";
import type { NotificationConfig } from "../config.ts";
import type { Dashboards } from "./dashboards.ts";

const paramsSchema = z.object({ vendorId: vendorIdSchema });

/** What a backend tells a dashboard: `POST …/activity` (PROTOCOL.md S42) and `PUT …/settings` (S40). */
export function registerDashboardRoutes(
  { config, http, authenticator }: ServiceKit<NotificationConfig>,
  { dashboards, pool, rates }: { dashboards: Dashboards; pool: Pool; rates: SharedRates },
): void {
  const activityRate = rates.open("activity", {
    perSecond: config.ACTIVITY_PER_SECOND,
    burst: config.ACTIVITY_BURST,
  });

  http.post("/api/vendor/:vendorId/activity", async (request, reply) => {
    await authenticator.authenticate(request, "service");
    const { vendorId } = parseRequest(paramsSchema, request.params, "The path");
    const body = parseRequest(postActivitySchema, request.body, "The body");
    await requireToken(activityRate, vendorId);
    const { activityId, ...line } = body;
    const activity: StoredActivity = { ...line, at: new Date().toISOString() };
    const status = await dashboards.activityLog.publish(vendorId, activity, activityId);
    return reply.code(202).send({ duplicate: status === "duplicate" });
  });

  http.put("/api/vendor/:vendorId/settings", async (request) => {
    await authenticator.authenticate(request, "service");
    const { vendorId } = parseRequest(paramsSchema, request.params, "The path");
    const settings = parseRequest(vendorSettingsSchema, request.body, "The body");
    await writeVendorSettings(pool, vendorId, settings);
    dashboards.noteChange(vendorId);
    return settings;
  });
}
