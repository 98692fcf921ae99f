import { config } from "zod";

// Zod would compile its checks with `new Function`, which the content security policy forbids. It has to know before the
// first schema is made, so this module is the first that the page imports.
config({ jitless: true });
