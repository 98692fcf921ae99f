import { connect } from "@nats-io/transport-node";

/** Core NATS with one subscription for each topic that somebody listens to. */
export async function openNatsTopics(
  env: NodeJS.ProcessEnv,
  onMessage: (topic: number, body: Buffer) => void,
): Promise<(topic: number) => void> {
  const nats = await connect({
    servers: env.NATS_URL ?? "",
    user: env.NATS_USER ?? "",
    pass: env.NATS_PASSWORD ?? "",
  });
  const followed = new Set<number>();
  return (topic) => {
    if (followed.has(topic)) return;
    followed.add(topic);
    nats.subscribe(`bench.${env.BENCH_NAME}.${topic}`, {
      callback: (error, message) => {
        if (error) throw error;
        const { data } = message;
        onMessage(topic, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
      },
    });
  };
}
