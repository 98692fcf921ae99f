import { vendorIdSchema } from "@localstreet/contracts/ids";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { requireVendor } from "@localstreet/service-kit/auth";
import { parseRequest, problemOf } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Counter } from "prom-client";
import { z } from "zod";
import type { NotificationConfig } from "../config.ts";
import type { Dashboard, Dashboards } from "../dashboard/dashboards.ts";
import type { Devices } from "../orders/devices.ts";
import type { Followers } from "./follower.ts";
import { idQuerySchema } from "./id-query.ts";
import { encodeStreamError, type OpenStream, type OpenStreams } from "./open-streams.ts";

const paramsSchema = z.object({ vendorId: vendorIdSchema });
const querySchema = z.strictObject({
  lastEventId: idQuerySchema.optional(),
  last: z.coerce.number().int().min(0).default(0),
});

/** The two streams of a vendor (PROTOCOL.md S4 to S12): its events, and with what a dashboard shows beside them. */
export function registerStreamRoutes(
  kit: ServiceKit<NotificationConfig>,
  parts: {
    followers: Followers;
    dashboards: Dashboards;
    streams: OpenStreams;
    devices: Devices;
  },
): void {
  const { config, http, authenticator, logger, metrics } = kit;
  const { followers, dashboards, streams, devices } = parts;
  const verdicts = new Counter({
    name: "localstreet_stream_resumes_total",
    help: "Streams opened, by what the client was told about its events",
    labelNames: ["status"],
    registers: [metrics],
  });
  const delivered = new Counter({
    name: "localstreet_stream_events_total",
    help: "Live events handed to streams",
    registers: [metrics],
  });

  http.get("/api/vendor/:vendorId/notifications/stream", (request, reply) =>
    openStream(request, reply, false),
  );
  http.get("/api/vendor/:vendorId/activity/stream", (request, reply) =>
    openStream(request, reply, true),
  );

  async function openStream(
    request: FastifyRequest,
    reply: FastifyReply,
    isDashboard: boolean,
  ): Promise<void> {
    const principal = await authenticator.authenticate(request, "vendor");
    const { vendorId } = parseRequest(paramsSchema, request.params, "The path");
    requireVendor(principal, vendorId);
    const query = parseRequest(querySchema, request.query, "The query");
    const header = request.headers["last-event-id"];

    const stream = await streams.open(reply.raw, principal);
    reply.hijack();
    const { connection } = stream;
    connection.onClosed(devices.opened(vendorId));
    try {
      await follow(stream, {
        subject: vendorOrdersSubject(vendorId),
        lastEventId: header === undefined ? query.lastEventId : String(header),
        last: Math.min(query.last, config.LAST_EVENTS),
        dashboard: isDashboard ? dashboards.open(vendorId, connection) : null,
      });
    } catch (error) {
      const problem = problemOf(error);
      if (problem.code === "internal") logger.error({ err: error }, "a stream failed");
      connection.end(encodeStreamError(problem));
    }
  }

  async function follow(
    stream: OpenStream,
    options: {
      subject: string;
      lastEventId: string | undefined;
      last: number;
      dashboard: Dashboard | null;
    },
  ): Promise<void> {
    const { dashboard, ...query } = options;
    const { connection } = stream;
    let startSequence = 0;
    const status = await followers.follow(connection, {
      ...query,
      onFollowing(following) {
        startSequence = following.start.sequence;
        streams.follow(stream, following);
      },
      onLive({ sequence }) {
        delivered.inc();
        dashboard?.noteEvent(sequence);
      },
      onOver: (resumeFrom) => streams.goAway(connection, resumeFrom),
    });
    dashboard?.begin(startSequence);
    verdicts.inc({ status });
  }
}
