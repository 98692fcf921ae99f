import { conversationSchema } from "@localstreet/contracts/chat";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Chat, call, connectAs, newName, say, startChat } from "./start-chat.ts";

let chat: Chat;
beforeAll(async () => {
  chat = await startChat();
}, 60_000);
afterAll(() => chat.stop());

const service = { role: "service" as const, sub: "backend" };

describe("C7: opening a conversation", () => {
  test("C7: is 201, then 200, with the same conversation", async () => {
    const [one, two] = chat.replicas;
    const vendorId = newName("vendor");
    const buyer = { role: "buyer" as const, sub: newName("buyer") };
    const opened = await call(one, buyer, "conversations", { vendorId, orderId: "o1" });
    expect(opened.status).toBe(201);
    expect(conversationSchema.parse(opened.body)).toMatchObject({
      buyerId: buyer.sub,
      vendorId,
      orderId: "o1",
      lastSeq: 0,
    });
    const again = await call(two, buyer, "conversations", { vendorId });
    expect([again.status, again.body.conversationId]).toEqual([200, opened.body.conversationId]);
    const byService = await call(two, service, "conversations", { vendorId, buyerId: buyer.sub });
    expect([byService.status, byService.body]).toEqual([200, again.body]);
  });

  test("C7 A6: who may: a buyer for itself, a service that names both; nobody else", async () => {
    const [one] = chat.replicas;
    const vendorId = newName("vendor");
    const body = { vendorId, buyerId: newName("buyer") };
    const staff = { role: "vendor" as const, sub: "sam", vendors: [vendorId] };
    const status = async (who: Parameters<typeof call>[1], sent: object = body) =>
      (await call(one, who, "conversations", sent)).status;
    expect(await status(null)).toBe(401);
    expect(await status({ role: "driver", sub: "dan" })).toBe(403);
    expect(await status(staff)).toBe(403);
    expect(await status({ role: "buyer", sub: "ana" })).toBe(404);
    expect(await status(service, { vendorId })).toBe(400);
    expect(await status(service, { vendorId: "a.b", buyerId: "x" })).toBe(400);
    expect(await status(service, { ...body, more: 1 })).toBe(400);
    expect(await status(service)).toBe(201);
  });
});

describe("C8: history", () => {
  test("C8: pages forwards, backwards and from the end, ascending", async () => {
    const [one, two] = chat.replicas;
    const vendorId = newName("vendor");
    const buyer = { role: "buyer" as const, sub: newName("buyer") };
    const client = await connectAs(one, buyer);
    let conversationId = "";
    for (let count = 0; count < 7; count += 1) {
      ({ conversationId } = await say(client, { to: vendorId }));
    }
    const page = async (query: string) => {
      const { body } = await call(two, buyer, `conversations/${conversationId}/messages${query}`);
      return [body.messages.map(({ seq }: { seq: number }) => seq), body.more];
    };
    expect(await page("")).toEqual([[1, 2, 3, 4, 5, 6, 7], false]);
    expect(await page("?limit=3")).toEqual([[5, 6, 7], true]);
    expect(await page("?beforeSeq=5&limit=3")).toEqual([[2, 3, 4], true]);
    expect(await page("?beforeSeq=2&limit=3")).toEqual([[1], false]);
    expect(await page("?afterSeq=2&limit=3")).toEqual([[3, 4, 5], true]);
    expect(await page("?afterSeq=7")).toEqual([[], false]);
    for (const query of [
      "?afterSeq=x",
      "?afterSeq=1&beforeSeq=3",
      "?limit=0",
      "?limit=201",
      "?a=1",
    ]) {
      const answer = await call(two, buyer, `conversations/${conversationId}/messages${query}`);
      expect([query, answer.status]).toEqual([query, 400]);
    }
    client.close();
  });

  test("C8: a POST is send-message without a socket, and reaches open devices", async () => {
    const [one, two] = chat.replicas;
    const vendorId = newName("vendor");
    const buyer = { role: "buyer" as const, sub: newName("buyer") };
    const staff = { role: "vendor" as const, sub: newName("staff"), vendors: [vendorId] };
    const till = await connectAs(two, staff);
    const { body } = await call(one, buyer, "conversations", { vendorId });
    const path = `conversations/${body.conversationId}/messages`;
    const sent = { clientMessageId: "m1", content: "over HTTP" };
    const posted = await call(one, buyer, path, sent);
    expect(posted).toMatchObject({ status: 201, body: { seq: 1, duplicate: false } });
    expect(await till.next((frame) => frame.type === "message")).toMatchObject({
      messageId: posted.body.messageId,
      content: "over HTTP",
    });
    const again = await call(two, buyer, path, sent);
    expect(again).toMatchObject({ status: 200, body: { ...posted.body, duplicate: true } });
    expect(await call(two, staff, path, { ...sent, as: vendorId })).toMatchObject({ status: 201 });
    till.close();
  });

  test("C8 A6: lists the caller's own; another's is a 404 like none", async () => {
    const [one] = chat.replicas;
    const vendorId = newName("vendor");
    const buyer = { role: "buyer" as const, sub: newName("buyer") };
    const { body } = await call(one, buyer, "conversations", { vendorId });
    const listed = async (who: Parameters<typeof call>[1]) =>
      (await call(one, who, "conversations")).body.conversations.map(
        (conversation: { conversationId: string }) => conversation.conversationId,
      );
    expect(await listed(buyer)).toEqual([body.conversationId]);
    expect(await listed({ role: "vendor", sub: "sam", vendors: [vendorId] })).toEqual([
      body.conversationId,
    ]);
    expect(await listed({ role: "vendor", sub: "sam", vendors: [newName("vendor")] })).toEqual([]);

    const stranger = { role: "buyer" as const, sub: newName("buyer") };
    const messages = (id: string) => `conversations/${id}/messages`;
    const foreign = await call(one, stranger, messages(body.conversationId));
    const none = await call(one, stranger, messages("nothing"));
    expect([foreign.status, foreign.body]).toEqual([404, none.body]);
    const post = await call(one, stranger, messages(body.conversationId), {
      clientMessageId: "m1",
      content: "hi",
    });
    expect(post.status).toBe(404);
    expect((await call(one, buyer, messages("a.b"))).status).toBe(400);
  });
});
