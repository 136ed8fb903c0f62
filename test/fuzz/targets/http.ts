/**
 * The two APIs as a client reaches them, over real sockets: the hub's with a store behind it, the agent's on its Unix socket. Most
 * requests to the hub spare TLS, whose handshakes would take most of the time: a certificate is put in place of one.
 * Whatever is asked, an answer of 500 and more is a finding, and so is a line of the hub's log that speaks of a failure.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, request as plainRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import type { ApiSources } from '../../../agent/api/routes.js';
import { serveSocket } from '../../../agent/api/server.js';
import { dispatch } from '../../../hub/api/dispatch.js';
import { buildRoutes } from '../../../hub/api/server.js';
import { podManifest } from '../../support/fleet.js';
import { ROOT_DIGEST, startFixture, type Fixture } from '../../support/api-server.js';
import { ACCEPTED, BrokenPromise, parsed, refused, type Outcome, type Target } from '../target.js';
import { wireVectors } from '../vectors.js';

/** A stream (a watch, followed logs) has no end of its own. */
const STREAM_MS = 15;
/** Refusals that come before a route looks at what it was sent. */
const EARLY = new Set([400, 404, 405, 413, 415, 431]);

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly text: string;
  readonly isWhole: boolean;
}

type Open = (
  ask: Ask,
  done: (response: IncomingMessage) => void,
) => ReturnType<typeof plainRequest>;

/** Null for what no client of HTTP can send. */
function asked(open: Open, ask: Ask): Promise<Answer | null> {
  return new Promise(resolve => {
    let outgoing: ReturnType<typeof plainRequest>;
    try {
      outgoing = open(ask, response => {
        const pieces: Buffer[] = [];
        const end = (isWhole: boolean) => {
          clearTimeout(timer);
          const text = Buffer.concat(pieces).toString();
          const { statusCode: code = 0, headers } = response;
          resolve({ code, type: headers['content-type'] ?? '', text, isWhole });
          if (!isWhole) outgoing.destroy();
        };
        const isStream = /watch|follow/.test(ask.path);
        const timer = setTimeout(() => end(false), isStream ? STREAM_MS : 5000);
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () => end(true));
        response.on('error', () => end(false));
      });
    } catch {
      resolve(null);
      return;
    }
    outgoing.on('error', () => resolve(null));
    outgoing.end(ask.body ?? undefined);
  });
}

function textIn(value: Readonly<Record<string, unknown>>, key: string): string {
  const found = value[key];
  return typeof found === 'string' ? found : '';
}

function askOf(input: Buffer): Ask | null {
  let value: unknown;
  try {
    value = JSON.parse(input.toString());
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const fields = value as Readonly<Record<string, unknown>>;
  const body = fields['body'];
  const bytes =
    body === undefined ? null : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const headers: Record<string, string> = { 'content-type': textIn(fields, 'type') };
  if (textIn(fields, 'accept') !== '') headers['accept'] = textIn(fields, 'accept');
  if (bytes !== null) headers['content-length'] = String(bytes.length);
  const path = textIn(fields, 'path');
  return { method: textIn(fields, 'method') || 'GET', path: path || '/', headers, body: bytes };
}

function outcomeOf(answer: Answer | null): Outcome {
  if (answer === null) return refused('');
  const { code, type, text, isWhole } = answer;
  if (code >= 500) throw new BrokenPromise(`the answer is ${code}: ${text.slice(0, 300)}`);
  // A watch is one object in each line.
  const lines = type === 'application/json' && isWhole ? text.split('\n') : [];
  for (const line of lines) if (line !== '') JSON.parse(line);
  if (code < 300) return ACCEPTED;
  return EARLY.has(code) ? refused('') : parsed('');
}

class Hub {
  readonly #fixture: Fixture;
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #seen = 0;

  constructor(fixture: Fixture, socketPath: string) {
    this.#fixture = fixture;
    this.#socketPath = socketPath;
  }

  #logged(): void {
    const { log } = this.#fixture;
    for (; this.#seen < log.length; this.#seen += 1) {
      const line = log[this.#seen];
      if (line?.level === 'error') throw new BrokenPromise(`logged: ${JSON.stringify(line)}`);
      if (JSON.stringify(line?.fields ?? null).length > 8192) {
        throw new BrokenPromise('a line of the log without a bound');
      }
    }
  }

  async request(input: Buffer): Promise<Outcome> {
    const ask = askOf(input);
    if (ask === null) return refused('');
    const to = { socketPath: this.#socketPath, agent: this.#agent };
    const answer = await asked(({ method, path, headers }, done) => {
      return plainRequest({ ...to, method, path, headers }, done);
    }, ask);
    this.#logged();
    // Behind the enrolment's routes stands one that sends back what it got.
    const isEcho = ask.path.startsWith('/flotilla/');
    return outcomeOf(answer && isEcho ? { ...answer, type: '' } : answer);
  }

  /** Bytes in place of a request; what HTTP's own parser makes of them. */
  raw(input: Buffer): Promise<Outcome> {
    const { api, authority, admin } = this.#fixture;
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = [];
      const socket = connect({ host: '127.0.0.1', port: api.port, ca: authority.cert, ...admin });
      const end = () => {
        clearTimeout(timer);
        socket.destroy();
        const [, code = '0'] = /^HTTP\/1\.1 (\d+)/.exec(Buffer.concat(pieces).toString()) ?? [];
        try {
          this.#logged();
          resolve(outcomeOf({ code: Number(code) || 400, type: '', text: '', isWhole: true }));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      // A request that says that more will come is waited for by the server, not here.
      const timer = setTimeout(end, 50);
      socket.on('data', (piece: Buffer) => pieces.push(piece));
      for (const event of ['end', 'close', 'error']) socket.on(event, end);
      socket.end(input);
    });
  }
}

const BUNDLE = {
  ...{
    apiVersion: 'flotilla.dev/v1',
    kind: 'Bundle',
    metadata: { name: 'shop', labels: { a: 'b' } },
  },
  spec: { nodeSelector: 'site in (a,b)', manifests: [podManifest('web')] },
};
const json = 'application/json';
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const bundles = '/apis/flotilla.dev/v1/namespaces/default/bundles';
const join1 = wireVectors().find(({ kind }) => kind === 'join')?.envelope ?? '';

const HUB_SEEDS: readonly object[] = [
  { method: 'GET', path: '/api/v1/nodes?labelSelector=a%3Db&limit=500', accept: table },
  { method: 'GET', path: '/api/v1/pods?fieldSelector=metadata.name%3Dx&watch=1&resourceVersion=1' },
  { method: 'GET', path: '/api/v1/namespaces/default/pods/web-edge-1', accept: table },
  { method: 'GET', path: '/api/v1/events?includeObject=Object&resourceVersionMatch=Exact' },
  { method: 'GET', path: '/apis/flotilla.dev/v1' },
  { method: 'GET', path: '/openapi/v2' },
  { method: 'GET', path: '/version' },
  { method: 'POST', path: `${bundles}?dryRun=All`, type: json, body: BUNDLE },
  { method: 'PUT', path: `${bundles}/shop`, type: json, body: BUNDLE },
  {
    ...{ method: 'DELETE', path: `${bundles}/shop`, type: json },
    body: { kind: 'DeleteOptions', preconditions: { uid: 'u' }, propagationPolicy: 'Background' },
  },
  { method: 'GET', path: `${bundles}/shop/revisions` },
  {
    ...{ method: 'POST', path: `${bundles}/shop/undo?dryRun=All`, type: json },
    body: { toRevision: 1, seen: 2, reason: 'smells' },
  },
  { method: 'POST', path: `${bundles}/shop/restart`, type: json, body: { reason: 'leak' } },
  {
    ...{ method: 'POST', path: '/apis/flotilla.dev/v1/tokens', type: json },
    body: { spec: { ttlSeconds: 3600, labels: { site: 'a' }, nodes: ['edge-*'], uses: 2 } },
  },
  { method: 'POST', path: '/apis/flotilla.dev/v1/nodes/edge-1/approve', type: json, body: {} },
  { method: 'DELETE', path: '/api/v1/nodes/edge-1' },
  { method: 'POST', path: '/flotilla/v1/nonce', type: json, body: {} },
  { method: 'GET', path: `/flotilla/v1/root/${ROOT_DIGEST}` },
  { method: 'GET', path: '/flotilla/v1/roots/2' },
  { method: 'POST', path: '/flotilla/v1/join', type: json, body: join1 },
  { method: 'GET', path: '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/e' },
  { method: 'GET', path: '/apis/flotilla.dev/v1/namespaces/default/secrets?missing=true' },
];

const RAW_SEEDS = [
  'GET /version HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n',
  `POST ${bundles} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  'POST /flotilla/v1/join HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
];

const AGENT_SEEDS = [
  ...[
    '/pods',
    '/status',
    '/healthz',
    '/events',
    '/plan',
    '/configz',
    '//',
    '/metrics',
    '/%2e%2e/x',
  ],
  '/containerLogs/default/web/app?tailLines=3&sinceTime=2026-01-01T00:00:00Z&previous',
].map(path => ({ method: 'GET', path }));

function agentSources(): ApiSources {
  const status = {
    name: 'app',
    ...{ image: '', imageID: '', ready: true, restartCount: 1, containerID: 'docker://b' },
    state: { running: {} },
  };
  const pod = { ...podManifest('web-n1'), status: { containerStatuses: [status] } };
  const report = { key: 'default/web-n1', source: 'file', bundle: null, manifestDigest: null, pod };
  return {
    nodeName: 'n1',
    pods: () => [report] as unknown as ReturnType<ApiSources['pods']>,
    healthy: () => true,
    status: () => ({ node: 'n1' }),
    plan: () => 'nothing to do',
    configz: () => ({}),
    figures: () => Promise.reject(new Error('nobody counts here')),
    events: () => [],
    rotate: () => Promise.resolve({}),
    import: () => Promise.resolve({}),
    receipt: () => ({}),
    leave: async () => ({}),
    site: () => ({ bundles: [] }),
    retry: name => name === null,
    async *logs(id) {
      yield await Promise.resolve(Buffer.from(id));
    },
  };
}

/** The real dispatch and routes, for somebody whose certificate was found good. */
async function serveHub({ parts }: Fixture, socketPath: string): Promise<void> {
  const router = buildRoutes(parts);
  const server = createServer((incoming, response) => {
    const exchange = new AbortController();
    response.once('close', () => exchange.abort());
    const { clock: time, log } = parts;
    void dispatch({ router, clock: time, log }, { incoming, response, signal: exchange.signal });
  });
  const subject = { O: ['flotilla:admins'], CN: 'ada' };
  server.on('connection', (socket: Socket) => {
    Object.assign(socket, { authorized: true, getPeerCertificate: () => ({ subject }) });
  });
  await new Promise<void>(done => server.listen(socketPath, done));
}

/** Null where the question is the one for figures, which nobody has here. */
async function askAgent(socketPath: string, agent: Agent, input: Buffer): Promise<Outcome> {
  const ask = askOf(input);
  if (ask === null || /metrics/.test(ask.path)) return refused('');
  const open: Open = ({ method, path, headers }, done) =>
    plainRequest({ socketPath, agent, method, path, headers }, done);
  return outcomeOf(await asked(open, ask));
}

export async function targets(): Promise<Target[]> {
  // A disk that is waited for at every write shows nothing here.
  if (existsSync('/dev/shm')) process.env['TMPDIR'] = '/dev/shm';
  const fixture = await startFixture();
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-fuzz-'));
  process.once('exit', () => {
    for (const one of [folder, fixture.folder]) rmSync(one, { recursive: true, force: true });
  });
  const socketPath = join(folder, 'agent.sock');
  const hubPath = join(folder, 'hub.sock');
  await serveHub(fixture, hubPath);
  const hub = new Hub(fixture, hubPath);
  await serveSocket(socketPath, agentSources());
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const seeds = (list: readonly object[]) => list.map(one => Buffer.from(JSON.stringify(one)));
  return [
    {
      ...{ name: 'http/hub', form: 'json', seeds: seeds(HUB_SEEDS), bytesMax: 2048, share: 0.2 },
      run: input => hub.request(input),
    },
    {
      ...{ name: 'http/hub-raw', form: 'text', share: 0.02, bytesMax: 1024 },
      seeds: RAW_SEEDS.map(text => Buffer.from(text)),
      run: input => hub.raw(input),
    },
    {
      ...{ name: 'http/agent', form: 'json', seeds: seeds(AGENT_SEEDS), share: 0.3 },
      run: input => askAgent(socketPath, agent, input),
    },
  ];
}
