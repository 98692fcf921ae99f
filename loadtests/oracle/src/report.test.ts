import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { judge } from "./judge.ts";
import { createLedger } from "./ledger.ts";
import { reportVerdicts } from "./report.ts";

test("one line for each path, all as JSON, and whether all is well", async () => {
  const folder = await mkdtemp(join(tmpdir(), "oracle-"));
  try {
    const good = createLedger({ path: "orders" });
    const bad = createLedger({ path: "chat" });
    bad.offer("m1", { audience: ["ana"], atMs: 0 });
    bad.acknowledge("m1", { atMs: 1 });
    const file = join(folder, "new", "verdict.json");
    const lines: string[] = [];
    const print = (line: string) => lines.push(line);
    const verdicts = [judge(good), judge(bad)];
    expect(await reportVerdicts(verdicts, { file, print })).toBe(false);
    expect(lines).toEqual([
      "ok     orders    nothing lost or wrong; 0 offered, 0 acknowledged, 0 delivered",
      "FAILED chat      1 lost; 1 offered, 1 acknowledged, 0 delivered",
    ]);
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({
      ok: false,
      verdicts: [
        { path: "orders", ok: true },
        { path: "chat", ok: false, lost: 1 },
      ],
    });
    expect(await reportVerdicts([judge(good)], { print })).toBe(true);
  } finally {
    await rm(folder, { recursive: true });
  }
});
