/**
 * Requests that want another protocol than HTTP (RFC 9110, 7.8): the same doors as for every request (who, may they,
 * which route), then the route takes the connection over. What is refused before is refused as HTTP with a Status and
 * `Connection: close`, which kubectl prints. A page of another site cannot use a browser's certificate here.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { WebSocketServer, type WebSocket } from 'ws';
import { RequestError } from '../ports.js';
import { StreamRefused } from '../streams/streams.js';
import { admit, describeFailure, parseUrl, toRequest, type DispatchParts } from './dispatch.js';
import type { RequestMeter } from './request-meter.js';
import type { Match } from './router.js';
import type { Status } from './status.js';

/** A message of a WebSocket; kubectl's have 32 KiB. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
const VERSIONS = ['13', '8'];
const SWITCHING_PROTOCOLS = 101;
/** For a client to hang up after it was refused. */
const FAREWELL_MS = 10_000;

/** The subprotocol that a WebSocket is answered with. `ws` would refuse those with a slash, as kubectl's tunnel has one. */
const chosen = new WeakMap<IncomingMessage, string>();

const webSockets = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MESSAGE_BYTES_MAX,
});
webSockets.on('headers', (headers, request) => {
  const protocol = chosen.get(request);
  if (protocol !== undefined) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
});

/** The connection of one request, to be taken over once. */
export class Upgrade {
  readonly #incoming: IncomingMessage;
  readonly #socket: Socket;
  readonly #head: Buffer;
  #answered = false;

  constructor(incoming: IncomingMessage, socket: Socket, head: Buffer) {
    this.#incoming = incoming;
    this.#socket = socket;
    this.#head = head;
  }

  /** 101 was sent: what fails now can only be told in the new protocol. */
  get answered(): boolean {
    return this.#answered;
  }

  /** What it all goes through: for whoever judges the certificate himself. */
  tls(): TLSSocket {
    return this.#socket as TLSSocket;
  }

  /** In lower case. */
  get protocol(): string {
    return (this.#incoming.headers.upgrade ?? '').toLowerCase();
  }

  /** What the client offers in a header that lists, in its order. */
  offered(header: 'sec-websocket-protocol' | 'x-stream-protocol-version'): readonly string[] {
    const value = this.#incoming.headers[header];
    const text = Array.isArray(value) ? value.join(',') : (value ?? '');
    return text
      .split(',')
      .map(item => item.trim())
      .filter(item => item !== '');
  }

  /**
   * Paused: to be resumed by whoever listens to it. Throws BadRequest for what is not a WebSocket's opening (RFC 6455,
   * 4.2.1). Rejects when the client goes.
   */
  async webSocket(protocol: string): Promise<WebSocket> {
    const { headers, method } = this.#incoming;
    const key = headers['sec-websocket-key'] ?? '';
    const version = headers['sec-websocket-version'] ?? '';
    if (method !== 'GET' || !/^[+/0-9A-Za-z]{22}==$/.test(key) || !VERSIONS.includes(version)) {
      throw new RequestError('BadRequest', 'this is not the opening of a WebSocket (version 13)');
    }
    chosen.set(this.#incoming, protocol);
    delete headers['sec-websocket-protocol'];
    this.#answered = true;
    return new Promise((resolve, reject) => {
      this.#socket.once('close', () =>
        reject(new StreamRefused('Cancelled', 'the client went away')),
      );
      webSockets.handleUpgrade(this.#incoming, this.#socket, this.#head, webSocket => {
        webSocket.pause();
        resolve(webSocket);
      });
    });
  }

  /** The socket itself from here on, and what was read of it already. */
  spdy(protocol: string): { readonly duplex: Duplex; readonly head: Buffer } {
    this.#answered = true;
    this.#socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
        `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
    );
    return { duplex: this.#socket, head: this.#head };
  }

  refuse(status: Status): void {
    if (!this.#socket.writable) {
      this.#socket.destroy();
      return;
    }
    const body = JSON.stringify(status);
    this.#socket.end(
      `HTTP/1.1 ${status.code} ${status.reason ?? 'Refused'}\r\nConnection: close\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    // Bytes that the client sent ahead of the answer would make the kernel break it off.
    this.#socket.resume();
    this.#socket.setTimeout(FAREWELL_MS, () => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** A browser names the page's site, and sends its certificate for any of them. */
function checkOrigin({ headers }: IncomingMessage): void {
  const { origin, host } = headers;
  if (origin === undefined) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new RequestError('Forbidden', `pages of ${origin} may not open connections here`);
}

/** Never throws. Resolves when the request was refused, or the connection has ended. */
export async function dispatchUpgrade(
  parts: DispatchParts & { readonly meter?: RequestMeter | undefined },
  request: { incoming: IncomingMessage; upgrade: Upgrade; signal: AbortSignal },
): Promise<void> {
  const { incoming, upgrade, signal } = request;
  let match: Match | null = null;
  let code = SWITCHING_PROTOCOLS;
  try {
    const exchange = { incoming, url: parseUrl(incoming.url), signal };
    const admitted = admit(parts, exchange);
    match = admitted.match;
    if (!match.route.upgrade) {
      throw new RequestError('BadRequest', 'this path upgrades to no other protocol');
    }
    checkOrigin(incoming);
    await match.route.upgrade(toRequest(exchange, match, admitted.actor), upgrade);
  } catch (error) {
    const status = describeFailure(parts, { incoming, match, error });
    code = status.code;
    if (upgrade.answered) upgrade.destroy();
    else upgrade.refuse(status);
  }
  const began = upgrade.answered ? SWITCHING_PROTOCOLS : code;
  parts.meter?.answered({ verb: 'CONNECT', code: began, seconds: 0 });
}
