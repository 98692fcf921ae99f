// `npm run token`: a token for the local platform.
import { checkNode, installDependencies, runFromSource } from "./bootstrap.mjs";

checkNode();
await installDependencies();
await runFromSource("infra/local/src/token.ts");
