/** What the command tells the visitors, by variables of the environment: they are in another process. */
export interface RunSettings {
  readonly secret: string;
  readonly issuer: string | undefined;
  readonly visitors: number;
  /** How long each visitor is busy. */
  readonly busyMs: number;
  /** One act in so many milliseconds. */
  readonly intervalMs: number;
  /** The process of the command: without it there is nobody to tell anything. */
  readonly commandPid: number;
  /** Takes what the ledgers say, as JSON. */
  readonly resultFile: string;
}

export function encodeRunSettings(settings: RunSettings): Record<string, string> {
  return {
    AUTH_JWT_SECRET: settings.secret,
    ...(settings.issuer === undefined ? {} : { AUTH_ISSUER: settings.issuer }),
    LOADTEST_VISITORS: String(settings.visitors),
    LOADTEST_BUSY_MS: String(settings.busyMs),
    LOADTEST_INTERVAL_MS: String(settings.intervalMs),
    LOADTEST_COMMAND_PID: String(settings.commandPid),
    LOADTEST_RESULT_FILE: settings.resultFile,
  };
}

/** @throws when a variable is missing: these scripts are run by `npm run loadtest`. */
export function readRunSettings(env: NodeJS.ProcessEnv): RunSettings {
  const required = (name: string): string => {
    const value = env[name];
    if (!value) throw new Error(`${name} is not set: run scenarios by \`npm run loadtest\``);
    return value;
  };
  return {
    secret: required("AUTH_JWT_SECRET"),
    issuer: env.AUTH_ISSUER || undefined,
    visitors: Number(required("LOADTEST_VISITORS")),
    busyMs: Number(required("LOADTEST_BUSY_MS")),
    intervalMs: Number(required("LOADTEST_INTERVAL_MS")),
    commandPid: Number(required("LOADTEST_COMMAND_PID")),
    resultFile: required("LOADTEST_RESULT_FILE"),
  };
}
