import { openRevocations } from "@localstreet/bus/revocations";
import { personIdSchema } from "@localstreet/contracts/ids";
import { oddTokens, socketVerdicts } from "@localstreet/testkit/odd-tokens";
import { tokenFor } from "@localstreet/testkit/tokens";
import { openSocket, UpgradeRefused } from "@localstreet/testkit/ws-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chat, call, connectAs, newName, say, startChat } from "./start-chat.ts";

let chat: Chat;
beforeAll(async () => {
  chat = await startChat({ CONNECTIONS_PER_USER: "2" });
}, 60_000);
afterAll(() => chat.stop());

test("A9: a revoked person's sockets on every replica are closed with 4401 within a second, and come back with none of the old tokens", async () => {
  const [one, two] = chat.replicas;
  const buyer = { role: "buyer" as const, sub: newName("buyer") };
  const token = await tokenFor(buyer);
  const open = await Promise.all(
    chat.replicas.map(({ wsUrl }) => openSocket(`${wsUrl}/api/chat/ws`, { token })),
  );
  await Promise.all(open.map((socket) => socket.next(({ type }) => type === "authenticated")));
  const bystander = await connectAs(one, { role: "buyer", sub: newName("buyer") });
  const revocations = await openRevocations(chat.bus);
  await revocations.revoke(personIdSchema.parse(buyer.sub), Math.floor(Date.now() / 1_000));
  const startMs = performance.now();
  for (const socket of open) {
    expect((await socket.closed).code).toBe(4401);
    expect(socket.frames.at(-1)).toMatchObject({ type: "goaway", code: 4401, reconnect: true });
  }
  expect(performance.now() - startMs).toBeLessThan(1_000);
  const upgrade = openSocket(`${two.wsUrl}/api/chat/ws`, { token });
  await expect(upgrade).rejects.toMatchObject({ name: UpgradeRefused.name, status: 401 });
  const byFrame = await openSocket(`${two.wsUrl}/api/chat/ws`);
  byFrame.send({ type: "authenticate", ref: 1, token });
  expect(await byFrame.next()).toMatchObject({ type: "error", ref: 1, code: "token-revoked" });
  expect((await byFrame.closed).code).toBe(4401);
  const listed = await fetch(`${one.url}/api/chat/conversations`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(await listed.json()).toMatchObject({ status: 401, code: "token-revoked" });
  expect(await say(bystander, { to: newName("vendor") })).toMatchObject({ type: "ack" });
  bystander.close();
  revocations.close();
});

test("E9: over both replicas one socket too many is closed with 4429, and the others go on", async () => {
  const [one, two] = chat.replicas;
  const buyer = { role: "buyer" as const, sub: newName("buyer") };
  const phone = await connectAs(one, buyer);
  const tablet = await connectAs(two, buyer);
  for (const { wsUrl } of chat.replicas) {
    const third = await openSocket(`${wsUrl}/api/chat/ws`, { token: await tokenFor(buyer) });
    expect((await third.closed).code).toBe(4429);
    expect(third.frames[0]).toMatchObject({ type: "error", code: "too-many-connections" });
  }
  const vendorId = newName("vendor");
  await say(phone, { to: vendorId, content: "still here" });
  await tablet.next((frame) => frame.type === "message" && frame.content === "still here");
  // What is no connection is not counted.
  expect((await call(one, buyer, "conversations")).status).toBe(200);
  phone.close();
  tablet.close();
});

test("A10: a genuine token with an odd time is refused at every place, and twenty sockets do not notice", async () => {
  const [one] = chat.replicas;
  const bystanders = await Promise.all(
    Array.from({ length: 20 }, () => connectAs(one, { role: "buyer", sub: newName("buyer") })),
  );
  const buyer = { role: "buyer" as const, sub: newName("buyer") };
  for (const { name, token, isTaken } of oddTokens(buyer)) {
    const verdicts = await socketVerdicts(`${one.wsUrl}/api/chat/ws`, token);
    const taken = ["authenticated", "authenticated", "authenticated"];
    expect([name, ...verdicts]).toEqual([name, ...(isTaken ? taken : [401, 401, 4401])]);
    const listed = await fetch(`${one.url}/api/chat/conversations`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect([name, listed.status]).toEqual([name, isTaken ? 200 : 401]);
  }
  for (const socket of bystanders) {
    expect(await say(socket, { to: newName("vendor") })).toMatchObject({ type: "ack" });
    socket.close();
  }
});
