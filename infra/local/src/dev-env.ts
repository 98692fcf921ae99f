// Runs before `turbo dev` starts anything: writes the environment of each service.
import { devEnv, loadDevPlan, writeEnvFile } from "./dev-plan.ts";
import { SERVICE_NAMES } from "./services.ts";

const plan = await loadDevPlan();
for (const service of SERVICE_NAMES) writeEnvFile(service, devEnv(service, plan));
writeEnvFile("web", { LOCALSTREET_GATEWAY: `http://127.0.0.1:${plan.ports.gateway}` });
