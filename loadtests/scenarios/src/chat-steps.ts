import { randomUUID } from "node:crypto";
import type { Metrics, VisitContext } from "./artillery.ts";
import type { OpenedSocket } from "./visitor.ts";
import { duringVisit } from "./visits.ts";

/** Buyer and staff over a socket each: three messages, each acknowledged, each heard on the other side and on the dashboard. */
export async function chatBothWays(context: VisitContext, metrics: Metrics): Promise<void> {
  await duringVisit(context, async ({ visitor, dashboard }) => {
    const [buyer, staff] = await Promise.all([
      visitor.openSocket("/api/chat/ws", "buyer"),
      visitor.openSocket("/api/chat/ws", "staff"),
    ]);
    const say = async (
      from: OpenedSocket,
      to: OpenedSocket,
      destination: { to: string } | { conversationId: string },
      content: string,
    ) => {
      const clientMessageId = randomUUID();
      const sentAtMs = performance.now();
      metrics.emit("counter", "smoke.messages.sent", 1);
      const frame = { type: "send-message" as const, clientMessageId, content, ...destination };
      const [ack, heard] = await Promise.all([
        from.send(frame),
        to.frames.expect(
          `message "${content}" in the chat of ${visitor.vendorId}`,
          (push) => push.type === "message" && push.clientMessageId === clientMessageId,
        ),
      ]);
      if (heard.type !== "message" || heard.seq !== ack.seq || heard.content !== content) {
        throw new Error(`message "${content}" came as ${JSON.stringify(heard)}`);
      }
      metrics.emit("counter", "smoke.messages.arrived", 1);
      metrics.emit("histogram", "smoke.messages.ms", performance.now() - sentAtMs);
      await dashboard.expect(
        `message "${content}" on the dashboard of ${visitor.vendorId}`,
        ({ event, data }) => event === "activity" && data.text === content,
      );
      metrics.emit("counter", "smoke.activity.arrived", 1);
      return ack;
    };
    const first = await say(buyer, staff, { to: visitor.vendorId }, "Is it ready yet?");
    const { conversationId } = first;
    const second = await say(staff, buyer, { conversationId }, "In ten minutes.");
    const third = await say(buyer, staff, { conversationId }, "Thank you!");
    const seqs = [first.seq, second.seq, third.seq];
    if (seqs.join() !== "1,2,3") throw new Error(`messages have the numbers ${seqs.join()}`);
  });
}
