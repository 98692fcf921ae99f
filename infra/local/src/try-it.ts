import type { Platform } from "./platform.ts";

const TOKEN_LIFETIME_SECONDS = 12 * 3_600;

/** Commands that show each path of the platform, ready to be pasted into a shell. */
export async function tryItLines(
  platform: Pick<Platform, "url" | "signsTokens" | "signToken">,
): Promise<string> {
  const { url } = platform;
  const token = async (role: "service" | "vendor" | "buyer" | "driver", sub: string) => {
    if (!platform.signsTokens) return `$${role.toUpperCase()}_TOKEN`;
    const vendors = role === "vendor" ? { vendors: ["corner-bakery"] } : {};
    return await platform.signToken({
      role,
      sub,
      ...vendors,
      expiresInSeconds: TOKEN_LIFETIME_SECONDS,
    });
  };
  const [service, vendor, buyer, driver] = await Promise.all([
    token("service", "backend"),
    token("vendor", "baker"),
    token("buyer", "ada"),
    token("driver", "courier-7"),
  ]);
  const bearer = (text: string) => `-H "Authorization: Bearer ${text}"`;
  const json = (value: object) =>
    `-H 'Content-Type: application/json' -d '${JSON.stringify(value)}'`;
  const order = {
    orderId: "order-1",
    buyerId: "ada",
    items: [{ name: "Cardamom bun", quantity: 2, unitPrice: 3500 }],
    total: 7000,
    currency: "SEK",
  };
  const delivery = {
    driverId: "courier-7",
    buyerId: "ada",
    vendorId: "corner-bakery",
    orderId: "order-1",
    destination: { lat: 57.7, lng: 11.97 },
    status: "picked_up",
  };
  const hello = {
    type: "send-message",
    clientMessageId: "hello-1",
    to: "corner-bakery",
    content: "Are the buns warm?",
  };
  const watch = { type: "watch-delivery", deliveryId: "delivery-1" };
  const socketUrl = url.replace(/^http/, "ws");
  const sections = [
    [
      "A vendor's open stream; leave it running",
      `curl -N ${bearer(vendor)} ${url}/api/vendor/corner-bakery/notifications/stream`,
    ],
    [
      "An order for that vendor, in another terminal",
      `curl -i ${bearer(service)} ${json(order)} ${url}/api/vendor/corner-bakery/orders`,
    ],
    [
      "A buyer writes to the vendor",
      `npx -y wscat -c ${socketUrl}/api/chat/ws ${bearer(buyer)} -w 3 -x '${JSON.stringify(hello)}'`,
    ],
    [
      "A delivery",
      `curl -i -X PUT ${bearer(service)} ${json(delivery)} ${url}/api/deliveries/delivery-1`,
    ],
    [
      "Its buyer watches it",
      `npx -y wscat -c ${socketUrl}/api/tracking/ws ${bearer(buyer)} -w 60 -x '${JSON.stringify(watch)}'`,
    ],
    [
      "The courier's phone says where it is",
      `curl -i ${bearer(driver)} ${json({ lat: 57.70887, lng: 11.97456 })} ${url}/api/driver/courier-7/location`,
    ],
  ];
  return sections.map(([title, command]) => `# ${title}\n${command}\n`).join("\n");
}
