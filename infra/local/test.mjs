// `npm test`: needs Node and npm, nothing else.
import { checkNode, installDependencies, runFromSource } from "./bootstrap.mjs";

checkNode();
await installDependencies();
await runFromSource("infra/local/src/test.ts");
