import type { IncomingMessage, ServerResponse } from "node:http";
import type { WebSocket } from "ws";

/** Who a token says that its bearer is. This server believes everybody. */
export interface Bearer {
  readonly role: string;
  readonly sub: string;
  readonly vendors: readonly string[];
}

export function bearerOf(token: string): Bearer {
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  return { role: claims.role, sub: claims.sub, vendors: claims.vendors ?? [] };
}

export interface ApiRequest {
  readonly bearer: Bearer;
  /** The path in pieces, without `api`. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body?: object;
}

export type Frame = {
  readonly type: string;
  readonly ref?: number;
  readonly [field: string]: unknown;
};

export async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const piece of request) text += piece;
  return text === "" ? {} : JSON.parse(text);
}

export function answer(response: ServerResponse, { status, body }: ApiAnswer): void {
  if (!body) {
    response.writeHead(status).end();
    return;
  }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

export const NOT_FOUND: ApiAnswer = { status: 404, body: { code: "not-found", status: 404 } };

export function sendFrame(socket: WebSocket, frame: Frame): void {
  socket.send(JSON.stringify(frame));
}
