CREATE TABLE "projection_checkpoints" (
    "name" VARCHAR(64) NOT NULL,
    "sequence" BIGINT NOT NULL,
    "message_id" TEXT NOT NULL,

    CONSTRAINT "projection_checkpoints_pkey" PRIMARY KEY ("name","sequence")
);

CREATE TABLE "set_aside_events" (
    "history" INTEGER NOT NULL,
    "sequence" BIGINT NOT NULL,
    "vendor_id" TEXT NOT NULL,
    "order_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "message_id" TEXT NOT NULL,
    "stored_at" TIMESTAMPTZ(3) NOT NULL,
    "data" BYTEA NOT NULL,
    "reason" TEXT,
    "base" JSON,

    CONSTRAINT "set_aside_events_pkey" PRIMARY KEY ("history","sequence")
);

CREATE INDEX "set_aside_events_vendor_id_order_id_idx" ON "set_aside_events"("vendor_id", "order_id");

-- What is not understood is looked for whenever a list is read. Mostly there is nothing.
CREATE INDEX "set_aside_events_unread_idx" ON "set_aside_events"("history", "sequence") WHERE "reason" IS NOT NULL;

CREATE INDEX "set_aside_events_stored_at_idx" ON "set_aside_events"("stored_at");
