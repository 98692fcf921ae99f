import { z } from "zod";

/** An event id in a query. Given twice it is one that was never issued: a `reset`, and no error (PROTOCOL.md S8). */
export const idQuerySchema = z.union([z.string(), z.array(z.string()).transform(String)]);
