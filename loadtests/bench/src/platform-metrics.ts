/** The sum of a counter over its labels, or over those that `labels` names, as a replica tells it. */
export async function readMetric(
  adminUrl: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const response = await fetch(`${adminUrl}/metrics`, { signal: AbortSignal.timeout(5_000) });
  return sumMetric(await response.text(), name, labels);
}

/** @throws when no line of the text is of that name: a figure that nobody counts is not zero. */
export function sumMetric(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  if (!text.includes(`# TYPE ${name.replace(/_(?:sum|count)$/, "")} `)) {
    throw new Error(`there is no metric ${name}`);
  }
  let sum = 0;
  for (const line of text.split("\n")) {
    const [, found, labelText = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (found !== name) continue;
    const matches = Object.entries(labels).every(([key, wanted]) =>
      labelText.includes(`${key}="${wanted}"`),
    );
    if (matches) sum += Number(value);
  }
  return sum;
}
