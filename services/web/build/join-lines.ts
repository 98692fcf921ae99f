import type { PlanePoint } from "../src/map/projection.ts";

type Line = PlanePoint[];

/**
 * Lines that meet end to end as one, the straightest continuation first. OpenStreetMap cuts a street wherever anything
 * about it changes; whole streets take fewer bytes and leave room for their names.
 */
export function joinLines(lines: readonly Line[]): Line[] {
  const unused = new Set(lines);
  const byEnd = new Map<string, Line[]>();
  for (const line of lines) {
    for (const end of new Set([endKey(line.at(0)), endKey(line.at(-1))])) {
      const there = byEnd.get(end);
      if (there) there.push(line);
      else byEnd.set(end, [line]);
    }
  }

  function takeContinuation(line: Line): Line | null {
    const end = endKey(line.at(-1));
    let best: Line | null = null;
    let bestTurn = Math.PI / 2;
    let used: Line | null = null;
    for (const candidate of byEnd.get(end) ?? []) {
      if (!unused.has(candidate)) continue;
      const onward = endKey(candidate.at(0)) === end ? candidate : candidate.toReversed();
      const turn = turnBetween(line, onward);
      if (turn < bestTurn) {
        best = onward;
        bestTurn = turn;
        used = candidate;
      }
    }
    if (used) unused.delete(used);
    return best;
  }

  const joined: Line[] = [];
  for (const line of lines) {
    if (!unused.delete(line)) continue;
    let whole = line;
    for (let direction = 0; direction < 2; direction++) {
      for (let next = takeContinuation(whole); next; next = takeContinuation(whole)) {
        whole = [...whole, ...next.slice(1)];
      }
      whole = whole.toReversed();
    }
    joined.push(whole);
  }
  return joined;
}

function endKey(point: PlanePoint | undefined): string {
  return point ? `${point.x.toFixed(2)} ${point.y.toFixed(2)}` : "";
}

/** 0 for straight on, pi for back again, in radians. */
function turnBetween(line: Line, onward: Line): number {
  const [before, end, after] = [line.at(-2), line.at(-1), onward.at(1)];
  if (!before || !end || !after) return Math.PI;
  const turn =
    Math.atan2(after.y - end.y, after.x - end.x) - Math.atan2(end.y - before.y, end.x - before.x);
  return Math.abs(Math.atan2(Math.sin(turn), Math.cos(turn)));
}
