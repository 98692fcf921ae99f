import { readdirSync, readFileSync } from "node:fs";

/** Ticks a second in `/proc/<pid>/stat`: the kernel's USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * CPU time of the processes and all of their descendants, those that have ended too, user and system, in microseconds
 * (proc(5)). From the scheduler's own count where the kernel tells it, since the ticks of `stat` are 10 ms each.
 */
export function cpuMicros(rootPids: readonly number[]): number {
  let micros = 0;
  for (const pid of processTree(rootPids)) {
    const ticks = parseTicks(readOrNothing(`/proc/${pid}/stat`));
    micros += (scheduledMicros(pid) ?? toMicros(ticks.own)) + toMicros(ticks.endedChildren);
  }
  return micros;
}

function scheduledMicros(pid: number): number | null {
  let nanos = 0;
  for (const thread of threadsOf(pid)) {
    const text = readOrNothing(`/proc/${pid}/task/${thread}/schedstat`);
    if (text === "") return null;
    nanos += Number(text.split(" ", 1)[0]);
  }
  return nanos / 1_000;
}

function toMicros(ticks: number): number {
  return (ticks * 1_000_000) / TICKS_PER_SECOND;
}

/** CPU time that the whole machine has spent so far, by anybody, in microseconds. */
export function machineCpuMicros(): number {
  const fields = readOrNothing("/proc/stat").split("\n", 1)[0]?.trim().split(/\s+/).slice(1) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields.map(Number);
  return toMicros(user + nice + system + irq + softirq + steal);
}

/** Memory of the processes and all of their descendants in bytes; a page that n processes share counts 1/n for each. */
export function pssBytes(rootPids: readonly number[]): number {
  let bytes = 0;
  for (const pid of processTree(rootPids)) {
    const line = /^Pss:\s+(\d+) kB$/m.exec(readOrNothing(`/proc/${pid}/smaps_rollup`));
    bytes += Number(line?.[1] ?? 0) * 1_024;
  }
  return bytes;
}

/** The processes and all of their descendants. */
function processTree(rootPids: readonly number[]): Set<number> {
  const found = new Set<number>();
  const add = (pid: number) => {
    if (found.has(pid)) return;
    found.add(pid);
    for (const thread of threadsOf(pid)) {
      const children = readOrNothing(`/proc/${pid}/task/${thread}/children`);
      for (const child of children.match(/\d+/g) ?? []) add(Number(child));
    }
  };
  for (const pid of rootPids) add(pid);
  return found;
}

/**
 * `utime` and `stime`, `cutime` and `cstime`: fields 14 to 17, counted behind the name, which may hold spaces and
 * parentheses.
 */
export function parseTicks(stat: string): { own: number; endedChildren: number } {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const sum = (first: number) => Number(fields[first] ?? 0) + Number(fields[first + 1] ?? 0);
  return { own: sum(11), endedChildren: sum(13) };
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
