type Network = Record<string, Record<string, number>>;

/** The points that `start` can be driven to and from: an infinite weight is a direction that may not be driven. */
export function reachableBothWays(network: Network, start: string): Set<string> {
  const backwards: Network = {};
  for (const [from, edges] of Object.entries(network)) {
    for (const [to, weight] of Object.entries(edges)) {
      backwards[to] ??= {};
      backwards[to][from] = weight;
    }
  }
  const to = reachableFrom(network, start);
  const from = reachableFrom(backwards, start);
  return new Set([...to].filter((point) => from.has(point)));
}

function reachableFrom(network: Network, start: string): Set<string> {
  const reached = new Set([start]);
  // A set is iterated over what is added to it on the way.
  for (const point of reached) {
    for (const [next, weight] of Object.entries(network[point] ?? {})) {
      if (Number.isFinite(weight)) reached.add(next);
    }
  }
  return reached;
}
