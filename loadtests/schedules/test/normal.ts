import type { SeenMessage } from "./recorded.ts";

const TIMES = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const ACK = /^(\$JS\.ACK(?:\.[^.]+){5})\.(\d+)\.(\d+)$/;

/**
 * Makes what two servers say comparable: times become names in the order in which they are met, so that equal times stay
 * equal; the server's own constants stay. Names that the client made up are the same for both.
 */
export class Normal {
  readonly #names = new Map<string, string>();

  text(text: string): string {
    return text.replace(TIMES, (time) => this.#nameOf(time));
  }

  message({ subject, reply, block, data }: SeenMessage): SeenMessage {
    const ack = ACK.exec(reply);
    return {
      subject,
      reply: ack ? `${ack[1]}.${this.#named(ack[2] as string)}.${ack[3]}` : reply,
      block: this.text(block),
      data,
    };
  }

  /** The body of an answer, parsed if it is JSON of the API. */
  body(data: string): unknown {
    if (!data.startsWith('{"type"') && !data.startsWith('{"error"')) return data;
    return JSON.parse(data, (key, value: unknown) => {
      // A consumer's time of birth lies between others; nobody reads it.
      if (key === "created") return "created";
      return typeof value === "string" ? this.text(value) : value;
    });
  }

  #nameOf(time: string): string {
    if (time.startsWith("0001") || time.startsWith("1970")) return time;
    const [seconds = "", fraction = ""] = time.slice(0, -1).split(".");
    return this.#named(`${Date.parse(`${seconds}Z`) / 1_000}${fraction.padEnd(9, "0")}`);
  }

  #named(nanos: string): string {
    const known = this.#names.get(nanos);
    if (known) return known;
    const name = `time-${this.#names.size + 1}`;
    this.#names.set(nanos, name);
    return name;
  }
}
