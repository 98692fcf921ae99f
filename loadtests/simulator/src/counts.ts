/** What the town has done so far, and what went wrong on the way. */
export interface Counts {
  orders: number;
  /** Orders that came out of the vendors' streams. */
  ordersHeard: number;
  /** Orders that the shops' own staff accepted or rejected. */
  answers: number;
  messages: number;
  messagesHeard: number;
  fixes: number;
  deliveries: number;
  /** Visits, baskets and reviews. */
  activities: number;
  /** Requests and frames that were tried again after a temporary refusal. */
  retries: number;
  /** Requests and frames refused for good: a fault of somebody. */
  refused: number;
}

export function zeroCounts(): Counts {
  return {
    orders: 0,
    ordersHeard: 0,
    answers: 0,
    messages: 0,
    messagesHeard: 0,
    fixes: 0,
    deliveries: 0,
    activities: 0,
    retries: 0,
    refused: 0,
  };
}

export function describeCounts(counts: Counts): string {
  return [
    `${counts.orders} orders (${counts.ordersHeard} heard, ${counts.answers} answered)`,
    `${counts.messages} messages (${counts.messagesHeard} heard)`,
    `${counts.fixes} fixes`,
    `${counts.deliveries} delivered`,
    `${counts.activities} lines of activity`,
    `${counts.retries} retries`,
    `${counts.refused} refused`,
  ].join(", ");
}
