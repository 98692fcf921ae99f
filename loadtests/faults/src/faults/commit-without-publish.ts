import { randomUUID } from "node:crypto";
import { nowMs } from "@localstreet/oracle/clock";
import type { Fault } from "../fault.ts";
import { request } from "../marketplace.ts";
import { timeUntil } from "../wait.ts";

const DELIVERED_MS = 2_000;

export const commitWithoutPublish: Fault = {
  name: "kill-before-publish",
  harm: "what a chat-ws says to NATS no longer gets out; it commits messages, acknowledges them, and is killed",
  promise: "the messages arrive within 2 s at those who are connected elsewhere",
  async run(stage) {
    const { platform, network, load, check, checkWithin } = stage;
    load.pause();
    await load.timeUntilSettled(10_000);
    const [doomed, other] = stage.replicasOf("chat-ws");
    if (!doomed || !other) throw new Error("two replicas are needed");
    // Everybody is on the other one.
    platform.hold(doomed.name);
    await doomed.kill("SIGKILL");
    await load.presence.timeUntilAllOpen(30_000);
    await doomed.start();
    for (const way of network.between(doomed.name, "nats")) way.blackhole("server");

    const { chat } = load.ledgers;
    const statuses = await Promise.all(
      load.people.map(async ({ buyerId, vendorId }) => {
        const who = { role: "buyer", sub: buyerId } as const;
        const opened = await request(
          platform,
          who,
          "POST",
          `${doomed.url}/api/chat/conversations`,
          { vendorId },
        );
        const { conversationId } = opened.body;
        const clientMessageId = randomUUID();
        // The names that the oracle's clients join under.
        const scopes = [`buyer ${buyerId}`, `vendor ${vendorId}`];
        const audience = scopes.flatMap((scope) => chat.membersOf(scope));
        chat.offer(clientMessageId, { audience, scopes, atMs: nowMs() });
        const path = `/api/chat/conversations/${conversationId}/messages`;
        const said = { clientMessageId, content: `${clientMessageId} Anybody?` };
        const { status, body } = await request(platform, who, "POST", doomed.url + path, said);
        chat.acknowledge(clientMessageId, {
          id: String(body.messageId),
          seq: Number(body.seq),
          group: String(conversationId),
          atMs: nowMs(),
        });
        return status;
      }),
    );
    check(
      "they are acknowledged",
      statuses.every((status) => status === 201),
      statuses.join(),
    );
    await doomed.kill("SIGKILL");
    const ms = await timeUntil(() => chat.outstanding() === 0, DELIVERED_MS * 5);
    checkWithin("they are delivered", ms, DELIVERED_MS);
    for (const way of network.between(doomed.name, "nats")) way.reset();
    network.heal();
    await doomed.start();
    platform.release(doomed.name);
  },
};
