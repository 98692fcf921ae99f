import { z } from "zod";
import { postRevocationSchema } from "./auth.ts";
import {
  chatClientFrameSchema,
  chatServerFrameSchema,
  conversationSchema,
  messagesPageSchema,
  openConversationSchema,
  postMessageSchema,
} from "./chat.ts";
import {
  activityEventSchema,
  postActivitySchema,
  summarySchema,
  vendorSettingsSchema,
} from "./dashboard.ts";
import {
  orderAcceptedSchema,
  orderSchema,
  postAcknowledgementSchema,
  postOrderStatusSchema,
} from "./order.ts";
import {
  acknowledgedSchema,
  orderSnapshotSchema,
  ordersAcceptedSchema,
  ordersSnapshotSchema,
  postOrdersSchema,
  statusStoredSchema,
} from "./order-answers.ts";
import { problemDetailsSchema } from "./problem.ts";
import {
  deliverySchema,
  deliveryStateSchema,
  fixSchema,
  trackingClientFrameSchema,
  trackingServerFrameSchema,
} from "./tracking.ts";
import {
  escalationWebhookSchema,
  notificationsPageSchema,
  pingEventSchema,
  resumeEventSchema,
  storedEventSchemas,
  streamErrorSchema,
  streamGoawaySchema,
  streamTokenExpiringSchema,
} from "./vendor-events.ts";

/** Every public shape, for clients in other languages: JSON Schema 2020-12 by name. */
export function exportJsonSchemas(): Record<string, unknown> {
  const schemas = {
    Order: orderSchema,
    OrderAccepted: orderAcceptedSchema,
    PostOrders: postOrdersSchema,
    OrdersAccepted: ordersAcceptedSchema,
    PostAcknowledgement: postAcknowledgementSchema,
    Acknowledged: acknowledgedSchema,
    PostOrderStatus: postOrderStatusSchema,
    StatusStored: statusStoredSchema,
    OrderSnapshot: orderSnapshotSchema,
    OrdersSnapshot: ordersSnapshotSchema,
    NewOrder: storedEventSchemas["new-order"],
    OrderUpdated: storedEventSchemas["order-updated"],
    OrderAcknowledged: storedEventSchemas["order-acknowledged"],
    OrderReminder: storedEventSchemas["order-reminder"],
    OrderEscalated: storedEventSchemas["order-escalated"],
    OrderExpired: storedEventSchemas["order-expired"],
    EscalationWebhook: escalationWebhookSchema,
    NotificationsPage: notificationsPageSchema,
    Resume: resumeEventSchema,
    Ping: pingEventSchema,
    StreamError: streamErrorSchema,
    StreamGoaway: streamGoawaySchema,
    StreamTokenExpiring: streamTokenExpiringSchema,
    PostRevocation: postRevocationSchema,
    Activity: activityEventSchema,
    PostActivity: postActivitySchema,
    Summary: summarySchema,
    VendorSettings: vendorSettingsSchema,
    OpenConversation: openConversationSchema,
    Conversation: conversationSchema,
    PostMessage: postMessageSchema,
    MessagesPage: messagesPageSchema,
    ChatClientFrame: chatClientFrameSchema,
    ChatServerFrame: chatServerFrameSchema,
    Fix: fixSchema,
    Delivery: deliverySchema,
    DeliveryState: deliveryStateSchema,
    TrackingClientFrame: trackingClientFrameSchema,
    TrackingServerFrame: trackingServerFrameSchema,
    ProblemDetails: problemDetailsSchema,
  };
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [
      name,
      z.toJSONSchema(schema, { io: "input" }),
    ]),
  );
}
