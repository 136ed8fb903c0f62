/**
 * A hub over real TLS and, for each test, an empty folder for a node that joins it. The servers here write down all that
 * they are sent, so that a test can say what they were not sent. For tests of the join alone: nothing here decides.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';
import type { BrokerTls } from '../../agent/membership/hub-tls.js';
import type { StoredIdentity } from '../../agent/membership/identity.js';
import { JoinError, type JoinErrorCode } from '../../agent/membership/join-http.js';
import { joinHub, type JoinRequest } from '../../agent/membership/join.js';
import { REQUEST_REASONS, RequestError, type Enrolment } from '../../hub/ports.js';
import { hubFixture, type HubFixture } from './hub-fixture.js';

export interface Recorded {
  readonly port: number;
  readonly url: string;
  /** Each request in full: method, path, headers, body. */
  readonly seen: string[];
  readonly server: Server;
}

type Answer = { readonly status: number; readonly body: Uint8Array | string | null };
type Handler = (method: string, path: string, body: Buffer) => Promise<Answer> | Answer;

export class JoinWorld {
  fixture!: HubFixture;
  /** The hub itself. */
  honest!: Recorded;
  /** Empty before each test. */
  directory!: string;
  readonly #servers: Server[] = [];

  async open(): Promise<void> {
    this.fixture = await hubFixture();
    this.honest = await this.serve(hubTls(this.fixture), enrolmentHandler(this.fixture.enrolment));
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
    await this.fixture.close();
  }

  newDirectory(): void {
    this.directory = mkdtempSync(join(tmpdir(), 'flotilla-join-'));
  }

  removeDirectory(): void {
    rmSync(this.directory, { recursive: true });
  }

  get tokenFile(): string {
    return join(this.directory, 'token');
  }

  async serve(tls: ServerOptions, handler: Handler): Promise<Recorded> {
    const seen: string[] = [];
    const server = createServer(tls, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks);
        const { method = '', url = '' } = request;
        seen.push(`${method} ${url} ${request.rawHeaders.join(' ')} ${body.toString()}`);
        void Promise.resolve(handler(method, url, body)).then(answer => {
          if (answer.body === null) request.socket.destroy();
          else response.writeHead(answer.status).end(answer.body);
        });
      });
    });
    this.#servers.push(server);
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return { port, url: `https://127.0.0.1:${port}`, seen, server };
  }

  async joinLine(labels: Record<string, string> = {}): Promise<string> {
    const admin = { kind: 'user', name: 'admin' } as const;
    const made = await this.fixture.enrolment.createToken(admin, { labels, ttlS: 3600 });
    return made.joinLine;
  }

  attempt(line: string, options: Partial<JoinRequest> = {}) {
    const { clock } = this.fixture;
    const dataDir = join(this.directory, 'agent');
    const hubUrl = this.honest.url;
    const nodeName = `edge-${this.directory.slice(-6).toLowerCase()}`;
    return joinHub({ line, hubUrl, nodeName, dataDir, clock, random: randomBytes, ...options });
  }
}

/** Opens the world before the tests of the file, closes it after them, and gives each test a folder of its own. */
export function joinWorld(): JoinWorld {
  const world = new JoinWorld();
  before(() => world.open());
  after(() => world.close());
  beforeEach(() => world.newDirectory());
  afterEach(() => world.removeDirectory());
  return world;
}

/** The five paths, as the hub's HTTPS server serves them. */
export function enrolmentHandler(enrolment: Enrolment): Handler {
  return async (method, path, body) => {
    try {
      const [, digest] = /^\/flotilla\/v1\/root\/([0-9a-f]{64})$/.exec(path) ?? [];
      const [, version] = /^\/flotilla\/v1\/roots\/(\d+)$/.exec(path) ?? [];
      const root = digest
        ? await enrolment.rootByDigest(digest)
        : version
          ? await enrolment.rootByVersion(Number(version))
          : null;
      if (root) return { status: 200, body: root };
      switch (`${method} ${path}`) {
        case 'GET /flotilla/v1/authorities':
          return { status: 200, body: enrolment.authorities() };
        case 'POST /flotilla/v1/nonce':
          return { status: 200, body: JSON.stringify({ nonce: enrolment.nonce() }) };
        case 'POST /flotilla/v1/join':
          return { status: 200, body: await enrolment.join(body, '127.0.0.1') };
        default:
          return { status: 404, body: '{}' };
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const { message, reason } = error;
      const status = { kind: 'Status', status: 'Failure', message, reason };
      return { status: REQUEST_REASONS[reason], body: JSON.stringify(status) };
    }
  };
}

export function hubTls({ hub }: HubFixture): ServerOptions {
  return { key: hub.server.key, cert: hub.server.certificate, minVersion: 'TLSv1.3' };
}

export function secretOf(line: string): string {
  const secret = line.split(' ')[1]?.split('.')[1];
  assert.ok(secret);
  return secret;
}

export function withCode(code: JoinErrorCode, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof JoinError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

export function tlsOf({ tls }: StoredIdentity): BrokerTls {
  const { cert } = tls;
  assert.ok(cert !== null);
  return { ...tls, cert };
}
