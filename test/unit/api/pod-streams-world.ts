/**
 * The hub's API before a node that is this machine, and who speaks WebSocket to its pods. Call `podStreamsWorld` once in a file of tests.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach } from 'node:test';
import { WebSocket, type ClientOptions } from 'ws';
import { localStreams, type LocalStreams } from '../../support/local-streams.js';
import { at, CLOCK, startFixture, type Fixture } from '../../support/api-server.js';
import { HUB, node, pod, put } from '../../support/api-objects.js';

export const PODS = '/api/v1/namespaces/default/pods';
const TWO = {
  spec: { containers: [{ name: 'a' }, { name: 'b' }], initContainers: [{ name: 'i' }] },
};

/** Of the test that runs. */
export let streams: LocalStreams;
export let hub: Fixture;

export function podStreamsWorld(): void {
  beforeEach(async () => {
    streams = localStreams();
    hub = await startFixture(CLOCK, streams);
    await hub.store.commit(HUB, [
      put(node('edge-1')),
      put(pod('web-edge-1')),
      put(pod('two-edge-1', TWO)),
    ]);
  });
  afterEach(() => hub.close());
}

/** What the audit log says of streams. */
export async function uses(): Promise<unknown[]> {
  const lines = await hub.store.audit(0, 100);
  return lines.map(({ verb, namespace, name, detail, actor }) => [
    `${actor.name}@${actor.address ?? ''}`,
    verb,
    `${namespace}/${name}`,
    detail,
  ]);
}

export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await CLOCK.sleep(5);
}

/** Channel messages and the end of a WebSocket; or the HTTP answer where there was none. */
interface Talk {
  readonly socket: WebSocket;
  readonly channels: Map<number, string>;
  readonly code: Promise<number>;
}

export function connectTo(
  path: string,
  protocols: string[],
  options: ClientOptions = {},
): WebSocket {
  const { cert, key } = hub.admin;
  const tls = { ca: hub.authority.cert, cert, key };
  return new WebSocket(`wss://127.0.0.1:${hub.api.port}${path}`, protocols, { ...tls, ...options });
}

export async function talk(path: string, protocol = 'v5.channel.k8s.io'): Promise<Talk> {
  const socket = connectTo(path, [protocol]);
  const channels = new Map<number, string>();
  socket.on('message', data => {
    const [channel = -1, ...rest] = data as Buffer;
    channels.set(channel, (channels.get(channel) ?? '') + Buffer.from(rest).toString('latin1'));
  });
  const code = once(socket, 'close').then(([number]) => number as number);
  await once(socket, 'open');
  assert.equal(socket.protocol, protocol);
  return { socket, channels, code };
}

export async function refused(path: string, protocols: string[], options: ClientOptions = {}) {
  const socket = connectTo(path, protocols, options);
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    AsyncIterable<Buffer> & { statusCode: number; headers: Record<string, string> },
  ];
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const body: unknown = JSON.parse(Buffer.concat(pieces).toString());
  assert.equal(at(body, 'kind'), 'Status');
  assert.equal(response.headers['connection'], 'close');
  return { code: response.statusCode, reason: at(body, 'reason'), message: at(body, 'message') };
}
