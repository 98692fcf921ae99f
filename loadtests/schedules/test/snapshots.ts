import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import type { NatsConnection } from "@nats-io/transport-node";

/** A backup by the server's own API. */
export interface Snapshot {
  readonly about: { readonly config: unknown; readonly state: unknown };
  readonly chunks: readonly Uint8Array[];
}

const TIMEOUT = { timeout: 5_000 };

export async function takeSnapshot(nats: NatsConnection): Promise<Snapshot> {
  const inbox = `_INBOX_admin.snapshot.${Date.now()}`;
  const chunks: Uint8Array[] = [];
  const done = new Promise<void>((resolve) => {
    const subscription = nats.subscribe(inbox, {
      callback(_error, message) {
        if (message.data.length === 0) {
          subscription.unsubscribe();
          resolve();
        } else {
          chunks.push(new Uint8Array(message.data));
          message.respond();
        }
      },
    });
  });
  const body = JSON.stringify({ deliver_subject: inbox, no_consumers: true });
  const answer = await nats.request(`$JS.API.STREAM.SNAPSHOT.${VENDOR_STREAM}`, body, TIMEOUT);
  const { config, state } = answer.json<Snapshot["about"]>();
  await done;
  return { about: { config, state }, chunks };
}

/** Deletes the stream and restores it, while all connections stay. */
export async function restoreSnapshot(nats: NatsConnection, snapshot: Snapshot): Promise<void> {
  await nats.request(`$JS.API.STREAM.DELETE.${VENDOR_STREAM}`, "", TIMEOUT);
  const body = JSON.stringify(snapshot.about);
  const answer = await nats.request(`$JS.API.STREAM.RESTORE.${VENDOR_STREAM}`, body, TIMEOUT);
  const { deliver_subject } = answer.json<{ deliver_subject: string }>();
  for (const chunk of snapshot.chunks) await nats.request(deliver_subject, chunk, TIMEOUT);
  const end = await nats.request(deliver_subject, "", TIMEOUT);
  const { error } = end.json<{ error?: { description: string } }>();
  if (error) throw new Error(`not restored: ${error.description}`);
}
