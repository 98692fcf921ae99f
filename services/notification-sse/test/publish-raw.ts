import { connect } from "node:net";
import { vendorIdSchema } from "@localstreet/contracts/ids";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { until } from "@localstreet/testkit/wait";
import type { Notification } from "./start-notification.ts";

/** Publishes to a vendor's log as any NATS client may, past `publishVendorEvent` and its checks. */
export async function publishRaw(
  { stores }: Notification,
  vendorId: string,
  messageId: string | null,
  data: string,
): Promise<void> {
  const { servers, user, password } = stores.nats.as("publisher");
  const { hostname, port } = new URL(servers[0] as string);
  const socket = connect(Number(port), hostname);
  const subject = vendorOrdersSubject(vendorIdSchema.parse(vendorId));
  const options = { user, pass: password, verbose: false, headers: true };
  const headers = messageId === null ? "" : `Nats-Msg-Id: ${messageId}\r\n`;
  const head = `NATS/1.0\r\n${headers}\r\n`;
  socket.write(
    `CONNECT ${JSON.stringify(options)}\r\nHPUB ${subject} ${head.length} ${head.length + Buffer.byteLength(data)}\r\n${head}${data}\r\nPING\r\n`,
  );
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  await until(() => answer.includes("PONG"), { what: "the answer of NATS" });
  if (answer.includes("-ERR")) throw new Error(`NATS answered ${answer}`);
  socket.destroy();
}
