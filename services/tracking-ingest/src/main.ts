import { runService } from "@localstreet/service-kit/service";
import { buildApp } from "./app.ts";
import { trackingIngestConfigSchema } from "./config.ts";

await runService({
  name: "tracking-ingest",
  configSchema: trackingIngestConfigSchema,
  env: process.env,
  buildApp,
});
