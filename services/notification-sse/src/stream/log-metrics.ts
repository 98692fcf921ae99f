import type { LogFill, SubjectLog } from "@localstreet/bus/subject-log";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Gauge } from "prom-client";

const READ_EVERY_MS = 10_000;

/**
 * How full the log is (PROTOCOL.md S17): at its limit new orders are refused. Asked of the leader every ten seconds; not a
 * number while it is not known. Returns what ends it.
 */
export function registerLogMetrics(
  { metrics, logger }: ServiceKit,
  log: SubjectLog,
): { close(): void } {
  const registers = [metrics];
  const bytes = new Gauge({
    name: "localstreet_log_bytes",
    help: "Bytes that the vendors' log takes",
    registers,
  });
  const maxBytes = new Gauge({
    name: "localstreet_log_max_bytes",
    help: "Bytes at which the vendors' log is full and new events are refused",
    registers,
  });
  const oldest = new Gauge({
    name: "localstreet_log_oldest_event_seconds",
    help: "Age of the oldest event in the vendors' log; 0 when there is none",
    registers,
  });

  function show(fill: LogFill | null): void {
    bytes.set(fill?.bytes ?? Number.NaN);
    maxBytes.set(fill?.maxBytes ?? Number.NaN);
    oldest.set(fill?.oldestAgeSeconds ?? Number.NaN);
  }

  function read(): void {
    log.fill().then(show, (error: unknown) => {
      logger.debug({ err: error }, "the log's size could not be read");
      show(null);
    });
  }

  read();
  const timer = setInterval(read, READ_EVERY_MS);
  return { close: () => clearInterval(timer) };
}
