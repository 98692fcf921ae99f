// `npm run oracle`: needs Node and npm, nothing else.
import { checkNode, installDependencies, runFromSource } from "../infra/local/bootstrap.mjs";

checkNode();
await installDependencies();
await runFromSource("loadtests/oracle/src/main.ts");
