import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync } from "node:fs";
import { findBinary } from "./binaries.ts";

/** How to run a program that refuses to run as root. */
export interface Unprivileged {
  /** Goes before the program and its arguments. */
  readonly prefix: readonly string[];
  /** Makes a folder that the program may write to. */
  makeDir(dir: string): void;
}

/**
 * As somebody who is not root the program runs as it is. As root it runs in a user namespace, where files stay root's
 * and folders of mode 700 above the data can be passed; where the kernel allows none, as `nobody`, with the one
 * capability that lets it pass those folders.
 *
 * @throws when this is root and neither way exists.
 */
export function chooseUnprivileged(): Unprivileged {
  const makeOwnDir = (dir: string) => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  };
  if (process.getuid?.() !== 0) {
    return { prefix: [], makeDir: makeOwnDir };
  }

  const unshare = findBinary("unshare");
  const namespace = ["--user", "--map-user=1000"];
  if (unshare !== null && succeeds(unshare, [...namespace, "true"])) {
    return { prefix: [unshare, ...namespace], makeDir: makeOwnDir };
  }

  const setpriv = findBinary("setpriv");
  const asNobody = [
    "--reuid=nobody",
    "--regid=nogroup",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
  ];
  if (setpriv !== null && succeeds(setpriv, [...asNobody, "true"])) {
    const uid = Number(execFileSync("id", ["-u", "nobody"], { encoding: "utf8" }));
    const gid = Number(execFileSync("id", ["-g", "nobody"], { encoding: "utf8" }));
    return {
      prefix: [setpriv, ...asNobody],
      makeDir(dir) {
        makeOwnDir(dir);
        chownSync(dir, uid, gid);
      },
    };
  }
  throw new Error(
    "Postgres does not run as root, and neither unshare nor setpriv works here: run as another user",
  );
}

function succeeds(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore", timeout: 5_000 });
    return true;
  } catch {
    return false;
  }
}
