import { exportJsonSchemas } from "./json-schema.ts";

process.stdout.write(`${JSON.stringify(exportJsonSchemas(), null, 2)}\n`);
