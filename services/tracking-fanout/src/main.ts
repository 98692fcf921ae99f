import { runService } from "@localstreet/service-kit/service";
import { buildApp } from "./app.ts";
import { trackingFanoutConfigSchema } from "./config.ts";

await runService({
  name: "tracking-fanout",
  configSchema: trackingFanoutConfigSchema,
  env: process.env,
  buildApp,
});
