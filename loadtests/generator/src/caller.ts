import { Agent as HttpAgent, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";

export interface Answer {
  /** 0 when there was none. */
  readonly status: number;
  /** The JSON of the answer, or nothing. */
  readonly body: Record<string, unknown>;
}

export interface Caller {
  call(method: "GET" | "POST" | "PUT", path: string, token: string, body?: object): Promise<Answer>;
  /** As `call`, and again under the same id while the answer is temporary, for a minute at most. */
  insist(method: "POST" | "PUT", path: string, token: string, body: object): Promise<Answer>;
  close(): void;
}

const CALL_TIMEOUT_MS = 15_000;
const INSIST_MS = 60_000;
const KEPT_CONNECTIONS = 16;

/** Requests over a few kept connections, as a backend and a mobile network's proxies have them. */
export function createCaller(target: URL, localAddress: string | undefined): Caller {
  const secure = target.protocol === "https:";
  const options = { keepAlive: true, maxSockets: KEPT_CONNECTIONS, timeout: CALL_TIMEOUT_MS };
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
  const request = secure ? requestHttps : requestHttp;

  function call(method: string, path: string, token: string, body?: object): Promise<Answer> {
    return new Promise((resolve) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers = {
        authorization: `Bearer ${token}`,
        ...(text === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
      };
      const sent = request(
        new URL(path, target),
        {
          method,
          agent,
          headers,
          timeout: CALL_TIMEOUT_MS,
          ...(localAddress === undefined ? {} : { localAddress }),
        },
        (response) => {
          let answer = "";
          response.setEncoding("utf8");
          response.on("data", (part: string) => {
            answer += part;
          });
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, body: parse(answer) }),
          );
          response.on("error", () => resolve({ status: 0, body: {} }));
        },
      );
      sent.on("timeout", () => sent.destroy());
      sent.on("error", () => resolve({ status: 0, body: {} }));
      sent.end(text);
    });
  }

  return {
    call,
    async insist(method, path, token, body) {
      const giveUpAtMs = performance.now() + INSIST_MS;
      for (let waitMs = 250; ; waitMs = Math.min(5_000, waitMs * 2)) {
        const answer = await call(method, path, token, body);
        if (!isTemporary(answer.status) || performance.now() > giveUpAtMs) return answer;
        await new Promise((resolve) => setTimeout(resolve, waitMs * (0.5 + Math.random() / 2)));
      }
    },
    close: () => agent.destroy(),
  };
}

function isTemporary(status: number): boolean {
  return status === 0 || status === 429 || status >= 500;
}

function parse(text: string): Answer["body"] {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    return {};
  }
}
