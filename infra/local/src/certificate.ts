import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, type Program } from "./ensure-programs.ts";
import { runCommand } from "./run-command.ts";

/** What makes the certificate. */
export const OPENSSL: Program = { binaries: ["openssl"], apt: "openssl", brew: "openssl" };

/** PEM files of a certificate and its key. */
export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

const VALID_DAYS = 397;
/** Made anew when it ends sooner, so that a platform that runs for weeks does not outlive it. */
const RENEW_BEFORE_DAYS = 30;
const DAY_MS = 86_400_000;
const OPENSSL_TIMEOUT_MS = 15_000;

/**
 * The certificate of this machine alone, for `localhost` and 127.0.0.1, signed by itself. Kept in `dir`, so that a
 * browser that was told to trust it need not be told at each start.
 *
 * @throws when openssl is missing, or with its last lines when it fails.
 */
export async function ensureCertificate(
  dir: string,
  options: { logFile: string; nowMs?: number },
): Promise<Certificate> {
  const certificateFile = join(dir, "certificate.pem");
  const keyFile = join(dir, "key.pem");
  if (remainingMs(certificateFile, keyFile, options.nowMs) > RENEW_BEFORE_DAYS * DAY_MS) {
    return { certificateFile, keyFile };
  }
  const openssl = findProgram(OPENSSL);
  if (openssl === null) throw new Error("openssl is not installed, or not on the PATH");
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await runCommand({
    name: "openssl",
    command: openssl,
    args: [
      ...["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
      ...["-sha256", "-days", String(VALID_DAYS), "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      ...["-addext", "extendedKeyUsage=serverAuth"],
      ...["-keyout", keyFile, "-out", certificateFile],
    ],
    logFile: options.logFile,
    timeoutMs: OPENSSL_TIMEOUT_MS,
  });
  chmodSync(keyFile, 0o600);
  return { certificateFile, keyFile };
}

/** How long the certificate lasts, in milliseconds; 0 when there is none that fits its key. */
function remainingMs(certificateFile: string, keyFile: string, nowMs = Date.now()): number {
  try {
    const certificate = new X509Certificate(readFileSync(certificateFile));
    const key = createPrivateKey(readFileSync(keyFile));
    return certificate.checkPrivateKey(key) ? Date.parse(certificate.validTo) - nowMs : 0;
  } catch {
    return 0;
  }
}
