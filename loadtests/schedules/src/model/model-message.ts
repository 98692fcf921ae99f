import type { Msg, MsgHdrs } from "@nats-io/transport-node";

const NOTHING = Buffer.alloc(0);

/** A message as the client's library hands it over, with the private fields that `headerBlockOf` of the bus reads. */
export class ModelMessage implements Msg {
  readonly subject: string;
  readonly reply: string;
  readonly sid = 0;
  readonly _msg: { readonly hdr: number };
  readonly _rdata: Uint8Array;

  /** @param bytes the header block, `headerLength` long, and the data behind it; -1 for no header. */
  constructor(subject: string, reply: string, headerLength: number, bytes: Uint8Array) {
    this.subject = subject;
    this.reply = reply;
    this._msg = { hdr: headerLength };
    this._rdata = bytes;
  }

  static withHeaders(subject: string, reply: string, block: string, data: Uint8Array = NOTHING) {
    if (block === "") return new ModelMessage(subject, reply, -1, data);
    const bytes = Buffer.from(block);
    const all = data.length === 0 ? bytes : Buffer.concat([bytes, data]);
    return new ModelMessage(subject, reply, bytes.length, all);
  }

  get data(): Uint8Array {
    const { hdr } = this._msg;
    return hdr > 0 ? this._rdata.subarray(hdr) : this._rdata;
  }

  /** Only the status is decoded: nothing else is asked for in this way. */
  get headers(): MsgHdrs {
    const block = Buffer.from(this._rdata.subarray(0, Math.max(0, this._msg.hdr))).toString();
    const code = block[8] === " " ? Number.parseInt(block.slice(9), 10) || 0 : 0;
    return { code } as MsgHdrs;
  }

  string(): string {
    return Buffer.from(this.data).toString();
  }

  json<T>(): T {
    return JSON.parse(this.string()) as T;
  }

  respond(): boolean {
    throw new Error("the model's messages are not responded to");
  }
}
