import type { Status } from "@nats-io/transport-node";

/** The states of a connection, for one reader. */
export class StatusQueue implements AsyncIterableIterator<Status> {
  readonly #waiting: Status[] = [];
  #isOver = false;
  #resolve: ((result: IteratorResult<Status>) => void) | null = null;

  push(status: Status): void {
    if (this.#resolve) {
      this.#resolve({ value: status, done: false });
      this.#resolve = null;
    } else this.#waiting.push(status);
  }

  end(): void {
    this.#isOver = true;
    this.#resolve?.({ value: undefined, done: true });
    this.#resolve = null;
  }

  next(): Promise<IteratorResult<Status>> {
    const status = this.#waiting.shift();
    if (status) return Promise.resolve({ value: status, done: false });
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
