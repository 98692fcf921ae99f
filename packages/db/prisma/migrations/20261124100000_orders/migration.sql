CREATE TYPE "order_status" AS ENUM ('placed', 'accepted', 'rejected', 'preparing', 'ready', 'picked_up', 'delivered', 'cancelled', 'expired');

CREATE TABLE "orders" (
    "vendor_id" VARCHAR(64) NOT NULL,
    "order_id" VARCHAR(64) NOT NULL,
    "body" JSON NOT NULL,
    "total" BIGINT NOT NULL,
    "currency" VARCHAR(3) NOT NULL,
    "placed_at" TIMESTAMPTZ(3) NOT NULL,
    "stored_at" TIMESTAMPTZ(3) NOT NULL,
    "sequence" BIGINT NOT NULL,
    "history" INTEGER NOT NULL,
    "applied_sequence" BIGINT NOT NULL,
    "status" "order_status" NOT NULL,
    "received_at" TIMESTAMPTZ(3),
    "seen_at" TIMESTAMPTZ(3),
    "answered_at" TIMESTAMPTZ(3),
    "answered_by" VARCHAR(64),
    "escalated_at" TIMESTAMPTZ(3),
    "escalation_reason" VARCHAR(32),
    "expired_at" TIMESTAMPTZ(3),
    "cancelled_at" TIMESTAMPTZ(3),
    "reminders" INTEGER NOT NULL DEFAULT 0,
    "attended" BOOLEAN NOT NULL DEFAULT false,
    "ops_told" BOOLEAN NOT NULL DEFAULT false,
    "due_at" TIMESTAMPTZ(3),

    CONSTRAINT "orders_pkey" PRIMARY KEY ("vendor_id","order_id")
);

CREATE TABLE "projections" (
    "name" VARCHAR(64) NOT NULL,
    "epoch" VARCHAR(8) NOT NULL,
    "history" INTEGER NOT NULL,
    "sequence" BIGINT NOT NULL,
    "message_id" TEXT,
    "holder" VARCHAR(128) NOT NULL,
    "lease_until" TIMESTAMPTZ(3) NOT NULL,
    "through_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "projections_pkey" PRIMARY KEY ("name")
);

CREATE INDEX "orders_vendor_id_placed_at_idx" ON "orders"("vendor_id", "placed_at");

-- What rings is a small part of the table.
CREATE INDEX "orders_open_idx" ON "orders"("vendor_id", "placed_at") WHERE "status" = 'placed';

CREATE INDEX "orders_due_at_idx" ON "orders"("due_at") WHERE "due_at" IS NOT NULL;

CREATE INDEX "orders_stored_at_idx" ON "orders" USING BRIN ("stored_at");
