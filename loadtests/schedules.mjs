// `npm run schedules`: needs Node and npm, nothing else.
import { checkNode, installDependencies, runFromSource } from "../infra/local/bootstrap.mjs";

checkNode();
await installDependencies();
await runFromSource("loadtests/schedules/src/main.ts");
