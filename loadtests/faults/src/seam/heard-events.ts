/** What an EventSource must be asked for by name: all of a vendor's stream that has an id, but `ping`. */
export const HEARD_EVENTS = [
  "resume",
  "new-order",
  "order-updated",
  "order-acknowledged",
  "order-reminder",
  "order-escalated",
  "order-expired",
] as const;
