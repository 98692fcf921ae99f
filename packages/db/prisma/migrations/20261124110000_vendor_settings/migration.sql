CREATE TABLE "vendor_settings" (
    "vendor_id" VARCHAR(64) NOT NULL,
    "time_zone" VARCHAR(64) NOT NULL,

    CONSTRAINT "vendor_settings_pkey" PRIMARY KEY ("vendor_id")
);
