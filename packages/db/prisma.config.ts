import { defineConfig } from "prisma/config";

export default defineConfig({
  schema: "prisma/schema.prisma",
  migrations: { path: "prisma/migrations" },
  // `generate` reads no database, but the CLI wants an address all the same.
  datasource: { url: process.env.DATABASE_URL ?? "postgres://localhost:5432/localstreet" },
});
