-- What is not summarized is read whole whenever old orders are looked for.
ALTER INDEX "orders_stored_at_idx" SET (autosummarize = on);
