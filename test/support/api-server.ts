/**
 * The real API on a real TLS server over a real SQLite store; only what lies behind the ports (making revisions,
 * enrolment) is reduced to what an answer needs.
 */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApi, type Api, type ApiParts } from '../../hub/api/server.js';
import { nodeEditor } from '../../hub/enrolment/edit-node.js';
import { secretWriter } from '../../hub/secrets/secret-writer.js';
import { HUB, trustedRoot } from './fleet.js';
import { revisionAgain } from '../../hub/rollout/again.js';
import { foresight } from '../../hub/foresight/read.js';
import { rolloutDesk } from '../../hub/rollout/say.js';
import type { BundleObject, TokenObject } from '../../hub/objects.js';
import {
  RequestError,
  type BundleWriter,
  type Enrolment,
  type NodeWriter,
  type RootWriter,
} from '../../hub/ports.js';
import { recoveryState } from '../../hub/recovery/recovery.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { Actor, Store } from '../../hub/store/store.js';
import { StreamRefused, type NodeStreams } from '../../hub/streams/streams.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { newAuthority, type KeyAndCertificate, type TestAuthority } from './api-certificates.js';
import { bundle } from './api-objects.js';

export const CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const timer = setTimeout(done, ms);
      function done(): void {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      }
      signal?.addEventListener('abort', done);
    }),
};

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: unknown;
}

function recordingLog(lines: LogLine[]): Log {
  const at = (level: LogLine['level']) => (message: string, fields?: unknown) => {
    lines.push({ level, message, fields });
  };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** Counts revisions as the real writer does; signs nothing. */
function bundleWriter(store: Store, actors: Actor[]): BundleWriter {
  return {
    async apply(actor, wanted) {
      actors.push(actor);
      const { namespace, name, spec, expect } = wanted;
      if (spec.manifests.some(m => m.metadata?.name === undefined)) {
        const cause = { field: 'spec.manifests[0].metadata.name', message: 'required' };
        throw new RequestError('Invalid', 'the bundle is invalid', [cause]);
      }
      const before = (await store.get('Bundle', namespace, name)) as BundleObject | null;
      const changed = !before || !isDeepStrictEqual(before.spec.manifests, spec.manifests);
      const revision = (before?.status.revision ?? 0) + (changed ? 1 : 0);
      const draft = bundle(name, spec, revision);
      const { labels, annotations } = wanted;
      const metadata = { ...draft.metadata, namespace, labels, annotations };
      const object = { ...draft, metadata };
      if (wanted.dryRun) {
        const meta = before?.metadata ?? {
          uid: 'none',
          generation: 1,
          resourceVersion: '0',
          creationTimestamp: '2026-01-01T00:00:00Z',
        };
        const made = { ...object, metadata: { ...meta, ...metadata } } as BundleObject;
        return { object: made, outcome: before ? 'configured' : 'created' };
      }
      const committed = await store.commit(actor, [{ type: 'put', object, expect }]);
      const written = committed.objects[0] as BundleObject;
      const same = written.metadata.resourceVersion === before?.metadata.resourceVersion;
      return { object: written, outcome: !before ? 'created' : same ? 'unchanged' : 'configured' };
    },
    async remove(actor, { namespace, name, dryRun }) {
      actors.push(actor);
      const before = (await store.get('Bundle', namespace, name)) as BundleObject | null;
      if (!before) throw new RequestError('NotFound', `there is no bundle ${name}`);
      const kind = 'Bundle';
      if (!dryRun) await store.commit(actor, [{ type: 'delete', kind, namespace, name }]);
      return before;
    },
  };
}

/** No test of this room is about roots. */
function rootWriter(): RootWriter {
  const none = () => Promise.reject(new Error('no root here'));
  return { current: none, publish: none, rotate: none };
}

function nodeWriter(store: Store): NodeWriter {
  return {
    async remove(actor, { name, dryRun }) {
      const kind = 'Node';
      if (!dryRun) await store.commit(actor, [{ type: 'delete', kind, namespace: '', name }]);
    },
  };
}

export const ROOT_DIGEST = 'ab'.repeat(32);
export const SECRET_HASH = 'cd'.repeat(32);

function enrolment(store: Store): Enrolment {
  return {
    async createToken(actor, { labels, ttlS }) {
      const id = randomUUID().slice(0, 8);
      const expiresAt = new Date(Date.now() + ttlS * 1000).toISOString();
      const committed = await store.commit(actor, [
        {
          type: 'put',
          expect: 'absent',
          object: {
            kind: 'Token',
            metadata: { namespace: '', name: id },
            spec: {
              secretHash: SECRET_HASH,
              labels,
              expiresAt,
              nodes: [],
              uses: 1,
              approve: false,
            },
            status: { usedBy: [] },
          },
        },
      ]);
      return { object: committed.objects[0] as TokenObject, joinLine: `join ${id}.secret` };
    },
    rootByDigest: async digest => (digest === ROOT_DIGEST ? Buffer.from('{"root":1}') : null),
    rootByVersion: async version => (version === 2 ? Buffer.from('{"root":2}') : null),
    authorities: () => '-----BEGIN CERTIFICATE-----\n',
    nonce: () => '0'.repeat(32),
    async join(envelope, address) {
      if (envelope.length === 0) throw new RequestError('Unauthorized', 'no such token');
      return Buffer.concat([Buffer.from(`${address} `), envelope]);
    },
    renew: async envelope => envelope,
    rotate: async envelope => envelope,
    standing: {
      approve: async () => undefined,
      revoke: async () => ({ bundles: [], secrets: [] }),
    },
  };
}

export interface Reply {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Undefined unless the answer is JSON. */
  readonly body: unknown;
}

/** The value at `metadata.name` or `items.0.spec` of a parsed answer; undefined where there is none. */
export function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (inner, key) =>
        typeof inner === 'object' && inner !== null
          ? (inner as Record<string, unknown>)[key]
          : undefined,
      value,
    );
}

export function listAt(value: unknown, path: string): readonly unknown[] {
  const list = at(value, path);
  if (!Array.isArray(list)) throw new TypeError(`no list at ${path}: ${JSON.stringify(value)}`);
  return list;
}

export function names(reply: Reply): readonly unknown[] {
  return listAt(reply.body, 'items').map(item => at(item, 'metadata.name'));
}

export interface CallOptions {
  readonly method?: string;
  readonly client?: KeyAndCertificate | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects are sent as JSON with its content type. */
  readonly body?: unknown;
  /** A body whose length is not told beforehand. */
  readonly chunked?: Buffer;
  readonly signal?: AbortSignal;
}

export interface Fixture {
  readonly api: Api;
  readonly parts: ApiParts;
  readonly store: Store;
  readonly authority: TestAuthority;
  readonly admin: KeyAndCertificate;
  readonly log: readonly LogLine[];
  readonly actors: readonly Actor[];
  readonly folder: string;
  /** As the administrator, unless `client` says otherwise. */
  call(path: string, options?: CallOptions): Promise<Reply>;
  /** Lines of a watch, each parsed, as they come. */
  watch(path: string, options?: CallOptions): AsyncGenerator<unknown>;
  close(): Promise<void>;
}

function encode(body: unknown): { payload: Buffer | null; headers: Record<string, string> } {
  if (body === undefined) return { payload: null, headers: {} };
  if (Buffer.isBuffer(body)) {
    return { payload: body, headers: { 'content-length': String(body.length) } };
  }
  const payload = Buffer.from(JSON.stringify(body));
  const headers = {
    'content-type': 'application/json',
    'content-length': String(payload.length),
  };
  return { payload, headers };
}

/** No node is connected. */
const NO_STREAMS: NodeStreams = {
  open: node => Promise.reject(new StreamRefused('NodeOffline', `node ${node} is away`)),
};

export async function startFixture(
  clock: Clock = CLOCK,
  streams: NodeStreams = NO_STREAMS,
  watching: Partial<Pick<ApiParts, 'checks' | 'exposition' | 'meter'>> = {},
): Promise<Fixture> {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-api-'));
  const authority = await newAuthority();
  const server = await authority.server();
  const admin = await authority.client([{ O: ['flotilla:admins'] }, { CN: ['ada'] }]);
  const store = await openSqliteStore({ path: join(folder, 'hub.db'), clock: CLOCK });
  const log: LogLine[] = [];
  const actors: Actor[] = [];
  const parts: ApiParts = {
    listen: { host: '127.0.0.1', port: 0 },
    tls: { ...server, ca: authority.cert },
    store,
    bundles: bundleWriter(store, actors),
    retry: async () => [],
    activate: () => Promise.resolve({ nodes: [], held: [] }),
    again: revisionAgain({
      ...{ store, root: () => trustedRoot(), clock },
      bundles: bundleWriter(store, actors),
    }),
    foresight: foresight({ store, root: () => trustedRoot(), clock }),
    lastWords: async () => [],
    rollouts: rolloutDesk({ store, root: () => trustedRoot(), clock }),
    nodes: nodeWriter(store),
    nodeEditor: nodeEditor(store),
    nodeBudget: () => Promise.resolve({}),
    nodeParameters: {
      read: node => Promise.resolve({ node, parameters: {}, lacking: [] }),
      set: (_actor, { node }) =>
        Promise.resolve({ node, parameters: {}, lacking: [], changed: false }),
    },
    secrets: secretWriter({ store, root: () => trustedRoot(), hubSigner: HUB }),
    enrolment: enrolment(store),
    recovery: {
      state: () => recoveryState(store),
      finish: () => recoveryState(store),
    },
    roots: rootWriter(),
    streams,
    carrier: { export: () => Promise.reject(new Error('no nodes')), receive: async () => [] },
    checks: [],
    exposition: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
    ...watching,
    clock,
    log: recordingLog(log),
    version: '0.1.0',
  };
  const api = await startApi(parts);

  const connect = (path: string, options: CallOptions) => {
    const { payload, headers } = encode(options.body);
    const client = options.client === undefined ? admin : options.client;
    const settings: RequestOptions = {
      host: '127.0.0.1',
      port: api.port,
      path,
      method: options.method ?? 'GET',
      ca: authority.cert,
      agent: false,
      headers: { ...headers, ...options.headers },
      ...(client ?? {}),
      ...(options.signal ? { signal: options.signal } : {}),
    };
    const outgoing = request(settings);
    if (options.chunked) outgoing.flushHeaders();
    outgoing.end(payload ?? options.chunked);
    return outgoing;
  };

  return {
    api,
    parts,
    store,
    authority,
    admin,
    log,
    actors,
    folder,
    call: (path, options = {}) =>
      new Promise((resolve, reject) => {
        const outgoing = connect(path, options);
        outgoing.on('error', reject);
        outgoing.on('response', response => {
          const pieces: Buffer[] = [];
          response.on('error', reject);
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.on('end', () => {
            const text = Buffer.concat(pieces).toString();
            const isJson = response.headers['content-type'] === 'application/json';
            resolve({
              code: response.statusCode ?? 0,
              headers: response.headers,
              text,
              body: isJson && text.startsWith('{') ? (JSON.parse(text) as unknown) : undefined,
            });
          });
        });
      }),
    async *watch(path, options = {}) {
      const outgoing = connect(path, options);
      const response = await new Promise<AsyncIterable<Buffer>>((resolve, reject) => {
        outgoing.on('response', resolve);
        outgoing.on('error', reject);
      });
      try {
        let rest = '';
        for await (const piece of response) {
          const lines = (rest + piece.toString()).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) yield JSON.parse(line) as unknown;
        }
      } finally {
        outgoing.destroy();
      }
    },
    async close() {
      await api.close();
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** That it is a failure as Kubernetes tells one. */
export function isStatus(reply: Reply, code: number, reason: string): void {
  assert.equal(reply.code, code, reply.text);
  assert.equal(at(reply.body, 'kind'), 'Status', reply.text);
  assert.equal(at(reply.body, 'apiVersion'), 'v1');
  assert.equal(at(reply.body, 'status'), 'Failure');
  assert.equal(at(reply.body, 'code'), code);
  assert.equal(at(reply.body, 'reason'), reason);
}
