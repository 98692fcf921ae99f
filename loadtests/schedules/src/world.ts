import { judgeByLog } from "@localstreet/bus/judge";
import type { Following } from "@localstreet/bus/subject-feed";
import { raise } from "@localstreet/contracts/raise";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import {
  LIVE_PREFIX,
  VENDOR_STREAM,
  VENDOR_STREAM_SUBJECTS,
} from "@localstreet/contracts/subjects";
import { SseConnection } from "@localstreet/fanout/sse-connection";
import { Device, type Violation } from "./device.ts";
import { DeviceSocket } from "./device-socket.ts";
import type { ModelConnection } from "./model/model-connection.ts";
import { NatsModel } from "./model/nats-model.ts";
import { OrderTruth, type StoredOrder, type TruthBackup } from "./order-truth.ts";
import { openRecordInMemory, type RecordInMemory } from "./record-in-memory.ts";
import { openReplica, RECORD_SETTINGS, type Replica } from "./replica.ts";
import { decodeStep, type Operation, type Schedule, type Setting } from "./schedule.ts";
import type { VirtualTime } from "./virtual-time.ts";

const SUBJECTS = ["vendor.bakery.orders", "vendor.florist.orders"] as const;
const EPOCHS = ["epoch0aa", "epoch1bb", "epoch2cc", "epoch3dd", "epoch4ee", "epoch5ff"] as const;
/** Times that matter to some timer: of a backoff, a check, a request, a memory. */
const TIMES_MS = [10, 60, 300, 1_100, 2_500, 5_100, 12_000, 31_000] as const;
const OUTBOX_BYTES = 8_192;
/** More than a reader takes one by one. */
const MANY = 7;
/** A moment, in which everybody who is away comes back. */
const MOMENT_MS = 100;
/** S11: within 2 s of a reconnect, and of a tail check: with one every 10 s, within 12 s at worst. */
const SOON_MS = 2_000;
/** Rounds in which all is answered, before it counts as never coming to an end. */
const ROUNDS_AT_MOST = 500;

/** A device that is connected. */
interface Link {
  readonly replica: Replica;
  readonly socket: DeviceSocket;
  readonly connection: SseConnection;
  following: Following | null;
}

export interface Outcome {
  readonly violations: readonly Violation[];
  readonly operations: number;
}

/** A marketplace in virtual time: the log's model, replicas that run unchanged, devices, and what really happened. */
export class World {
  readonly #time: VirtualTime;
  readonly #setting: Setting;
  readonly #model: NatsModel;
  readonly #truth: OrderTruth;
  readonly #devices: Device[];
  readonly #links = new Map<Device, Link>();
  readonly #replicas: Replica[] = [];
  readonly #record: RecordInMemory | null;
  readonly #backups: TruthBackup[] = [];
  readonly #violations: Violation[] = [];
  readonly #log: ((line: string) => void) | undefined;
  #allConnections: readonly ModelConnection[] = [];
  #epochs = 1;
  #lastOrder: StoredOrder | null = null;

  private constructor(time: VirtualTime, setting: Setting, log?: (line: string) => void) {
    this.#time = time;
    this.#setting = setting;
    this.#log = log;
    this.#model = new NatsModel({
      stream: VENDOR_STREAM,
      subjects: VENDOR_STREAM_SUBJECTS,
      livePrefix: LIVE_PREFIX,
      epoch: EPOCHS[0],
      maxAgeMs: setting.maxAgeMs,
      duplicateWindowMs: 60_000,
      nowMs: () => time.wallMs,
    });
    this.#model.readsFromFollower = setting.readsFromFollower;
    this.#truth = new OrderTruth(this.#model, EPOCHS[0]);
    this.#record = setting.hasRecord ? openRecordInMemory({ now: () => time.wallMs }) : null;
    const truth = this.#truth;
    this.#devices = Array.from({ length: setting.devices }, (_, n) => {
      const violate = (violation: Violation) => this.violate(violation);
      const subject = SUBJECTS[n % SUBJECTS.length] as string;
      return new Device({ name: `device-${n}`, subject, truth, violate });
    });
  }

  /** Runs a schedule to its end, and judges. `log` gets a line for each step. */
  static async run(
    time: VirtualTime,
    { setting, steps }: Schedule,
    log?: (line: string) => void,
  ): Promise<Outcome> {
    time.reset(setting.seed);
    const world = new World(time, setting, log);
    let operations = 0;
    for (let n = 0; n < setting.replicas; n++) await world.#openReplica(n);
    for (const step of steps) {
      const { operation, choice } = decodeStep(step);
      if (setting.without.includes(operation)) continue;
      if (!(await world.#apply(operation, choice))) continue;
      operations++;
      await time.settle();
      if (world.#violations.length > 0) break;
    }
    if (world.#violations.length === 0) await world.#judge();
    return { violations: world.#violations, operations };
  }

  violate(violation: Violation): void {
    this.#say(`VIOLATION ${violation.kind}: ${violation.what}`);
    this.#violations.push(violation);
  }

  #say(line: string): void {
    this.#log?.(`${this.#time.nowMs.toFixed(0).padStart(7)} ${line}`);
  }

  async #openReplica(at: number): Promise<void> {
    const opening = openReplica({
      model: this.#model,
      setting: this.#setting,
      name: `replica-${at}`,
      record: this.#record,
      onError: (error) => this.violate({ kind: "error", what: String(error) }),
    });
    let opened: Replica | null = null;
    opening.ready.then((replica) => {
      opened = replica;
    }, raise);
    for (let round = 0; !opened && round < ROUNDS_AT_MOST; round++) {
      await this.#time.settle();
      for (const connection of opening.connections) this.#answerOnce(connection);
    }
    if (!opened) throw new Error("a replica does not start");
    this.#replicas[at] = opened;
    this.#allConnections = this.#replicas.flatMap(({ connections }) => connections);
  }

  #connections(): readonly ModelConnection[] {
    return this.#allConnections;
  }

  /** @returns whether there was anything to do. */
  async #apply(operation: Operation, choice: number): Promise<boolean> {
    const pick = <T>(values: readonly T[]): T | undefined =>
      values.length === 0 ? undefined : values[choice % values.length];
    const further = (by: number) => Math.floor(choice / by);
    const model = this.#model;
    switch (operation) {
      case "publish": {
        this.#lastOrder = this.#truth.publish(pick(SUBJECTS) as string);
        this.#say(`publish ${this.#lastOrder.orderId} at ${this.#lastOrder.sequence}`);
        return true;
      }
      case "publish-many": {
        const subject = pick(SUBJECTS) as string;
        for (let n = 0; n < MANY; n++) this.#lastOrder = this.#truth.publish(subject);
        this.#say(`publish ${MANY}, the last ${this.#lastOrder?.orderId}`);
        return true;
      }
      case "publish-same-again": {
        const order = this.#lastOrder;
        if (!order || !this.#truth.isOfThisLog(order)) return false;
        for (const { feed } of this.#replicas) feed.checkSoon(order.subject);
        this.#say(`publish ${order.orderId} again`);
        return true;
      }
      case "deliver-live":
      case "lose-live": {
        const connection = pick(this.#connections().filter(({ liveCount }) => liveCount > 0));
        if (!connection) return false;
        this.#say(`${operation} on ${this.#nameOf(connection)}`);
        if (operation === "deliver-live") connection.deliverLive();
        else connection.loseLive();
        return true;
      }
      case "advance-request": {
        const busy = this.#connections().filter(({ requests }) => requests.length > 0);
        const connection = pick(busy);
        if (!connection) return false;
        const at = further(busy.length) % connection.requests.length;
        const { stage, subject } = connection.requests[at] as { stage: string; subject: string };
        this.#say(`${stage} ${subject} of ${this.#nameOf(connection)} goes on`);
        connection.advance(at);
        return true;
      }
      case "answer-all": {
        const connection = pick(this.#connections().filter(({ requests }) => requests.length > 0));
        if (!connection) return false;
        this.#say(`all of ${this.#nameOf(connection)} is answered`);
        for (let round = 0; round < 8; round++) {
          this.#answerOnce(connection);
          await this.#time.settle();
        }
        return true;
      }
      case "take-subscriptions": {
        const waiting = this.#connections().filter(
          ({ pendingSubscriptions }) => pendingSubscriptions > 0,
        );
        const connection = pick(waiting);
        connection?.takeSubscriptions();
        if (connection) this.#say(`subscriptions of ${this.#nameOf(connection)}`);
        return connection !== undefined;
      }
      case "disconnect": {
        const connection = pick(this.#connections().filter(({ isConnected }) => isConnected));
        if (!connection) return false;
        this.#say(`disconnect ${this.#nameOf(connection)}`);
        connection.disconnect();
        return true;
      }
      case "reconnect": {
        const connection = pick(this.#connections().filter(({ isConnected }) => !isConnected));
        if (!connection) return false;
        this.#say(`reconnect ${this.#nameOf(connection)}`);
        connection.reconnect();
        return true;
      }
      case "kill-replica": {
        const at = choice % this.#replicas.length;
        this.#say(`kill replica-${at}`);
        await this.#kill(at);
        return true;
      }
      case "purge": {
        const end = this.#truth.history.length;
        if (end === 0) return false;
        const upToSequence = 1 + (choice % end);
        model.log.purge({ upToSequence: upToSequence + 1 });
        this.#say(`purge through ${upToSequence}`);
        return true;
      }
      case "delete":
      case "delete-newest": {
        const { history } = this.#truth;
        const order = operation === "delete" ? pick(history) : history.at(-1);
        if (!order || !this.#truth.isKept(order)) return false;
        model.log.delete(order.sequence);
        this.#say(`delete ${order.orderId} at ${order.sequence}`);
        return true;
      }
      case "make-anew": {
        const epoch = EPOCHS[this.#epochs++];
        if (epoch === undefined) return false;
        this.#truth.makeAnew(epoch);
        this.#say(`make anew as ${epoch}`);
        return true;
      }
      case "backup": {
        if (this.#backups.length >= 3) return false;
        this.#backups.push(this.#truth.backup());
        this.#say(`backup at ${this.#truth.history.length}`);
        return true;
      }
      case "restore": {
        const backup = pick(this.#backups);
        if (!backup) return false;
        this.#truth.restore(backup);
        this.#say(`restore to ${backup.history.length}`);
        return true;
      }
      case "catch-up": {
        if (model.followerLag === 0) return false;
        model.catchUp(1 + (choice % 3));
        this.#say("the follower catches up");
        return true;
      }
      case "connect": {
        const device = pick(this.#devices.filter((one) => !this.#links.has(one)));
        if (!device) return false;
        await this.#connect(device, further(3) % this.#replicas.length);
        return true;
      }
      case "drop": {
        const [device, link] = pick([...this.#links]) ?? [];
        if (!device || !link) return false;
        this.#say(`${device.name} drops`);
        link.socket.destroy();
        return true;
      }
      case "stall": {
        const [device, link] = pick([...this.#links]) ?? [];
        if (!device || !link) return false;
        this.#say(`${device.name} stalls`);
        link.socket.isReading = false;
        return true;
      }
      case "read": {
        const stalled = [...this.#links].filter(([, { socket }]) => !socket.isReading);
        const [device, link] = pick(stalled) ?? [];
        if (!device || !link) return false;
        this.#say(`${device.name} reads`);
        link.socket.isReading = true;
        link.socket.read();
        return true;
      }
      case "ping": {
        const [device, link] = pick([...this.#links]) ?? [];
        if (!device || !link?.following) return false;
        this.#ping(link);
        this.#say(`ping ${device.name}`);
        return true;
      }
      case "pass-time": {
        const ms = pick(TIMES_MS) as number;
        this.#say(`${ms} ms pass`);
        await this.#pass(ms);
        return true;
      }
    }
  }

  async #pass(ms: number): Promise<void> {
    await this.#time.advance(ms, () => this.#model.tick());
    this.#model.tick();
    this.#model.log.expire();
  }

  async #kill(at: number): Promise<void> {
    const replica = this.#replicas[at] as Replica;
    for (const [device, link] of [...this.#links]) {
      if (link.replica !== replica) continue;
      link.socket.destroy();
      this.#links.delete(device);
    }
    for (const connection of replica.connections) connection.disconnect();
    replica.kill();
    await this.#openReplica(at);
  }

  async #connect(device: Device, replicaAt: number): Promise<void> {
    const replica = this.#replicas[replicaAt] as Replica;
    this.#say(`${device.name} connects to replica-${replicaAt} with ${device.cursor}`);
    device.opens((replica.connections[0]?.liveCount ?? 0) > 0);
    const socket = new DeviceSocket((bytes) => {
      if (this.#log) this.#say(`${device.name} < ${bytes.toString().replaceAll("\n", " ")}`);
      device.take(bytes);
    });
    const connection = new SseConnection(socket.socket, { outboxBytes: OUTBOX_BYTES });
    const link: Link = { replica, socket, connection, following: null };
    this.#links.set(device, link);
    connection.onClosed(() => {
      link.following?.stop();
      if (this.#links.get(device) === link) this.#links.delete(device);
    });
    this.#follow(device, link).catch((error: unknown) => {
      if ((error as { retryable?: boolean }).retryable !== true) {
        this.violate({ kind: "error", what: (error as Error).stack ?? String(error) });
      }
      connection.end(Buffer.from(encodeSseEvent({ event: "error", data: "{}" })));
    });
    await this.#time.settle();
  }

  async #follow(device: Device, link: Link): Promise<void> {
    const { connection, replica } = link;
    await replica.followers.follow(connection, {
      subject: device.subject,
      lastEventId: device.cursor ?? undefined,
      last: 0,
      onFollowing(following) {
        if (link.socket.isClosed) following.stop();
        else link.following = following;
      },
      onLive() {},
      onOver(resumeFrom) {
        const id = resumeFrom === undefined ? {} : { id: resumeFrom };
        connection.end(Buffer.from(encodeSseEvent({ ...id, event: "goaway", data: "{}" })));
      },
    });
  }

  #ping({ connection, following }: Link): void {
    const head = following?.positionId();
    if (head === undefined) return;
    connection.send(Buffer.from(encodeSseEvent({ id: head, event: "ping", data: "{}" })));
  }

  /** Each request that is under way goes on by as much as it can. */
  #answerOnce(connection: ModelConnection): void {
    for (let left = connection.requests.length * 3; left > 0; left--) {
      if (connection.requests.length === 0) return;
      connection.advance(0);
    }
  }

  /** Everything is answered and delivered, for `ms` milliseconds; devices come back at once. */
  async #calm(ms: number): Promise<void> {
    const endMs = this.#time.nowMs + ms;
    for (;;) {
      await this.#deliverAll();
      for (const [n, device] of this.#devices.entries()) {
        if (!this.#links.has(device)) await this.#connect(device, n % this.#replicas.length);
      }
      await this.#deliverAll();
      const leftMs = endMs - this.#time.nowMs;
      if (leftMs <= 0 || this.#violations.length > 0) return;
      await this.#pass(Math.min(leftMs, Math.max(1, this.#time.untilNextMs)));
    }
  }

  async #deliverAll(): Promise<void> {
    for (let round = 0; round < ROUNDS_AT_MOST; round++) {
      this.#model.catchUp();
      let isCalm = true;
      for (const connection of this.#connections()) {
        if (connection.pendingSubscriptions > 0) connection.takeSubscriptions();
        if (connection.requests.length === 0 && connection.liveCount === 0) continue;
        isCalm = false;
        this.#answerOnce(connection);
        while (connection.liveCount > 0) connection.deliverLive();
        await this.#time.settle();
      }
      for (const { socket } of this.#links.values()) {
        if (socket.isReading) continue;
        isCalm = false;
        socket.isReading = true;
        socket.read();
        await this.#time.settle();
      }
      if (isCalm) return;
    }
    this.violate({ kind: "error", what: "questions without an end" });
  }

  async #judge(): Promise<void> {
    this.#say("calm");
    for (const connection of this.#connections()) connection.reconnect();
    await this.#time.settle();
    if (this.#setting.without.includes("lose-live") && this.#truth.replacements === 0) {
      await this.#calm(SOON_MS);
      this.#judgeAll("2 s after the last reconnect");
    }
    await this.#calm(this.#setting.tailCheckMs + SOON_MS);
    this.#judgeAll("2 s after a tail check");
    if (this.#violations.length > 0) return;

    this.#say("all come back");
    for (const { socket } of [...this.#links.values()]) socket.destroy();
    await this.#time.settle();
    await this.#calm(MOMENT_MS);
    this.#judgeAll("after all came back");
    await this.#compareMemory();

    this.#say("one more for each");
    for (const subject of SUBJECTS) this.#truth.publish(subject);
    await this.#calm(SOON_MS);
    this.#judgeAll("with one more order");
    await this.#judgeRecord("at last");
  }

  #judgeAll(when: string): void {
    if (this.#violations.length > 0) return;
    for (const device of this.#devices) device.judge(when);
  }

  /** What the log holds is in the record, and the record stands at the log's end. */
  async #judgeRecord(when: string): Promise<void> {
    if (!this.#record || this.#violations.length > 0) return;
    // A replica that was killed may hold the lease.
    await this.#calm(RECORD_SETTINGS.leaseMs + SOON_MS);
    const { history, epoch } = this.#truth;
    const position = this.#record.position();
    if (position.epoch !== epoch || position.sequence !== history.length) {
      const what = `the record stands at ${position.epoch}-${position.sequence}, the log ends at ${epoch}-${history.length} (${when})`;
      this.violate({ kind: "record", what });
      return;
    }
    const recorded = new Set(this.#record.rows().map(({ orderId }) => orderId as string));
    const missing = history.find(
      (order) => this.#truth.isKept(order) && !recorded.has(order.orderId),
    );
    if (missing) {
      const what = `the record misses ${missing.orderId} at ${missing.sequence} (${when})`;
      this.violate({ kind: "record", what });
    }
  }

  /** What memory says of an id, the log says too. */
  async #compareMemory(): Promise<void> {
    for (const [device, { following, replica }] of this.#links) {
      for (const id of device.ids) {
        if (!following || following.missed(id) === null) continue;
        let told: string | null = null;
        judgeByLog(replica.log, device.subject, id).then(({ status }) => {
          told = status;
        }, raise);
        await this.#calm(0);
        if (told !== "complete" && told !== null) {
          const what = `${device.name} with ${id}: complete by memory, ${told} by the log`;
          this.violate({ kind: "memory-differs", what });
        }
      }
    }
  }

  #nameOf(connection: ModelConnection): string {
    const at = this.#replicas.findIndex(({ connections }) => connections.includes(connection));
    const isBulk = this.#replicas[at]?.connections[1] === connection;
    return `replica-${at}${isBulk ? "-history" : ""}`;
  }
}
