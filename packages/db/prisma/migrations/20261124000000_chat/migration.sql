CREATE TYPE "chat_side" AS ENUM ('buyer', 'vendor', 'system');

CREATE TABLE "conversations" (
    "id" VARCHAR(64) NOT NULL,
    "buyer_id" VARCHAR(64) NOT NULL,
    "vendor_id" VARCHAR(64) NOT NULL,
    "order_id" VARCHAR(64),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_seq" INTEGER NOT NULL DEFAULT 0,
    "last_at" TIMESTAMPTZ(3),

    CONSTRAINT "conversations_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "messages" (
    "id" VARCHAR(64) NOT NULL,
    "conversation_id" VARCHAR(64) NOT NULL,
    "seq" INTEGER NOT NULL,
    "sender_id" VARCHAR(64) NOT NULL,
    "side" "chat_side" NOT NULL,
    "content" TEXT NOT NULL,
    "order_id" VARCHAR(64),
    "client_message_id" VARCHAR(64) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "messages_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "conversations_buyer_id_vendor_id_key" ON "conversations"("buyer_id", "vendor_id");

CREATE INDEX "conversations_vendor_id_idx" ON "conversations"("vendor_id");

CREATE INDEX "conversations_last_at_idx" ON "conversations"("last_at");

CREATE UNIQUE INDEX "messages_conversation_id_seq_key" ON "messages"("conversation_id", "seq");

CREATE UNIQUE INDEX "messages_conversation_id_sender_id_client_message_id_key" ON "messages"("conversation_id", "sender_id", "client_message_id");

ALTER TABLE "messages" ADD CONSTRAINT "messages_conversation_id_fkey" FOREIGN KEY ("conversation_id") REFERENCES "conversations"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;
