import type { Platform } from "@localstreet/local/platform";

type Replica = Platform["replicas"][number];

/**
 * The value of a metric of one replica, summed over its labels; those of a histogram by its `_sum` or `_count`.
 *
 * @returns `null` when the replica does not answer or knows no such metric.
 */
export async function readMetric(
  replica: Pick<Replica, "adminUrl">,
  name: string,
): Promise<number | null> {
  let text: string;
  try {
    const response = await fetch(`${replica.adminUrl}/metrics`, {
      signal: AbortSignal.timeout(2_000),
    });
    text = await response.text();
  } catch {
    return null;
  }
  const values = text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

/** The same over several replicas; those that do not answer count as nothing. */
export async function sumMetric(
  replicas: readonly Pick<Replica, "adminUrl">[],
  name: string,
): Promise<number> {
  const values = await Promise.all(replicas.map((replica) => readMetric(replica, name)));
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}
