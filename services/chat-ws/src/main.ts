import { runService } from "@localstreet/service-kit/service";
import { buildApp } from "./app.ts";
import { chatConfigSchema } from "./config.ts";

await runService({
  name: "chat-ws",
  configSchema: chatConfigSchema,
  env: process.env,
  buildApp,
});
