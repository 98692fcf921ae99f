import { runService } from "@localstreet/service-kit/service";
import { buildApp } from "./app.ts";
import { notificationConfigSchema } from "./config.ts";

await runService({
  name: "notification-sse",
  configSchema: notificationConfigSchema,
  env: process.env,
  buildApp,
});
