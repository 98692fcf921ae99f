import { Histogram } from "./histogram.ts";
import { measureOwnShare } from "./own-cost.ts";
import type { ChatSpec, Figures } from "./specs.ts";
import { closeAll, openSubscribers } from "./subscribers.ts";
import { compileTemplate, newRunName } from "./template.ts";
import { encodeClientFrame } from "./ws-frames.ts";

const DRAIN_MS = 5_000;
const MESSAGES_MAX = 4_000_000;

/** Sends in every conversation, and checks that what was acknowledged reaches the other side, once and in order. */
export async function runChat(
  spec: ChatSpec,
  gate: (at: "begin" | "end") => Promise<void>,
): Promise<Figures> {
  const run = newRunName();
  const marker = compileTemplate(spec.marker, run)(0);
  const messageOf = compileTemplate(spec.message, run);
  const sentAtMs = new Float64Array(MESSAGES_MAX);
  const acknowledgedBy = new Uint8Array(MESSAGES_MAX);
  const receivedBy = new Uint8Array(MESSAGES_MAX);
  const newest = new Int32Array(spec.receivers.connections).fill(-1);
  const received = { messages: 0, duplicated: 0, outOfOrder: 0 };
  let acknowledgements = new Histogram();
  let deliveries = new Histogram();
  let acknowledged = 0;
  let number = 0;
  let broken = 0;
  let isClosed = true;
  const onLost = () => broken++;

  const receivers = await openSubscribers(spec.receivers, {
    run,
    marker,
    onNumber(receiver, at) {
      if (receivedBy[at] !== 0) {
        received.duplicated++;
        return;
      }
      receivedBy[at] = 1;
      received.messages++;
      if (at < (newest[receiver] as number)) received.outOfOrder++;
      else newest[receiver] = at;
      deliveries.add(performance.now() - (sentAtMs[at] as number));
    },
    onLost,
  });
  const senders = await openSubscribers(spec.senders, {
    run,
    marker,
    onNumber(sender, at) {
      if (acknowledgedBy[at] !== 0) return;
      acknowledgedBy[at] = 1;
      acknowledged++;
      acknowledgements.add(performance.now() - (sentAtMs[at] as number));
      if (!isClosed && spec.perSecond === undefined) send(sender);
    },
    onLost,
  });
  function send(sender: number): void {
    if (number >= MESSAGES_MAX) return;
    const at = number++;
    sentAtMs[at] = performance.now();
    senders[sender]?.socket.write(encodeClientFrame(messageOf(sender, at)));
  }
  /** At the steady rate, the conversations in turn. */
  async function sendFor(ms: number): Promise<void> {
    const { perSecond } = spec;
    if (perSecond === undefined) return await sleep(ms);
    const startedAtMs = performance.now();
    for (let sent = 0; performance.now() < startedAtMs + ms; ) {
      const due = ((performance.now() - startedAtMs) / 1_000) * perSecond;
      for (; sent < due; sent++) send(number % senders.length);
      await sleep(1);
    }
  }

  try {
    isClosed = false;
    if (spec.perSecond === undefined) {
      for (let slot = 0; slot < spec.inFlight; slot++) {
        for (let sender = 0; sender < senders.length; sender++) send(sender);
      }
    }
    await sendFor(spec.warmUpMs);
    if (acknowledged === 0) throw new Error("no message was acknowledged");
    await gate("begin");
    const share = measureOwnShare();
    acknowledgements = new Histogram();
    deliveries = new Histogram();
    const before = acknowledged;
    const startedAtMs = performance.now();
    await sendFor(spec.windowMs);
    const counted = acknowledged - before;
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const generatorShare = share();
    await gate("end");
    const atEnd = {
      p50: acknowledgements.percentileMs(50),
      p99: acknowledgements.percentileMs(99),
    };
    const deliveredP99 = deliveries.percentileMs(99);
    isClosed = true;
    const until = performance.now() + DRAIN_MS;
    const isDone = () => acknowledged >= number && received.messages >= number;
    while (!isDone() && performance.now() < until) await sleep(5);
    return {
      delivered: counted,
      deliveredPerSecond: counted / seconds,
      p50Ms: atEnd.p50,
      p99Ms: atEnd.p99,
      deliveredP99Ms: deliveredP99,
      unanswered: number - acknowledged,
      lost: Math.max(0, acknowledged - received.messages),
      duplicated: received.duplicated,
      outOfOrder: received.outOfOrder,
      broken,
      generatorShare,
    };
  } finally {
    isClosed = true;
    closeAll([...senders, ...receivers]);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
