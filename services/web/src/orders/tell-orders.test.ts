import type { OrderId } from "@localstreet/contracts/ids";
import { expect, test, vi } from "vitest";
import { HttpError } from "../http-error.ts";
import { createOrderTeller } from "./tell-orders.ts";

const id = (orderId: string) => orderId as OrderId;

test("each is told once, three at a time, and what somebody has seen goes first", async () => {
  const sent: string[] = [];
  const answers: (() => void)[] = [];
  const teller = createOrderTeller({
    send: (orderId, state) => {
      sent.push(`${orderId} ${state}`);
      return new Promise<void>((resolve) => answers.push(resolve));
    },
    matters: () => true,
  });
  for (const orderId of ["a", "b", "c", "d", "e", "a"]) teller.tell(id(orderId), "received");
  teller.tell(id("e"), "seen");
  expect(sent).toEqual(["a received", "b received", "c received"]);
  answers[1]?.();
  await vi.waitFor(() => expect(sent.length === 4).toBe(true));
  expect(sent[3]).toBe("e seen");
  for (const answer of answers) answer();
  await vi.waitFor(() => expect(sent.length === 6).toBe(true));
  expect(sent.slice(4)).toEqual(["d received", "e received"]);
  teller.close();
});

test("a lasting refusal and an order that is over are let go, and a queue waits for nobody", async () => {
  const sent: string[] = [];
  const over = new Set<string>();
  const teller = createOrderTeller({
    send: async (orderId) => {
      sent.push(orderId);
      if (orderId === "gone") throw new HttpError(404, null);
      // The next attempt is seconds away; by then it is over.
      if (orderId === "expired") throw new HttpError(401, null);
    },
    matters: (orderId) => !over.has(orderId),
  });
  over.add("late");
  for (const orderId of ["gone", "expired", "late", "fine"]) teller.tell(id(orderId), "received");
  await vi.waitFor(() => expect(sent.includes("fine")).toBe(true));
  expect(sent).toEqual(["gone", "expired", "fine"]);
  teller.close();
});
