/** The URL source against a real server: requests, redirects, limits, what lies on disk. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import type { NewEvent } from '../../../agent/ports.js';
import { readAuthorities } from '../../../agent/sources/authorities.js';
import { httpGet } from '../../../agent/sources/http-get.js';
import { NO_PROXIES } from '../../../agent/sources/proxy-choice.js';
import { openUrlSource, type UrlSource } from '../../../agent/sources/url.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'app', image: 'busybox:1' }] },
});
const says =
  (content: object | string, status = 200, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(status, headers);
    response.end(typeof content === 'string' ? content : JSON.stringify(content));
  };

class Stub {
  readonly requests: IncomingMessage[] = [];
  answer: Answer;
  readonly #server;

  constructor(answer: Answer) {
    this.answer = answer;
    this.#server = createServer((request, response) => {
      this.requests.push(request);
      this.answer(request, response);
    });
    cleanups.push(() => this.close());
  }

  listen(port = 0): Promise<this> {
    return new Promise(done => this.#server.listen(port, '127.0.0.1', () => done(this)));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/pods', host = '127.0.0.1'): string {
    return `http://${host}:${this.port}${path}`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise(done => this.#server.close(() => done()));
  }
}

const stub = (answer: Answer) => new Stub(answer).listen();

function dataDir(): string {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-url-'));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  return directory;
}

interface Opened {
  readonly source: UrlSource;
  readonly said: string[];
  readonly events: NewEvent[];
}

/** On a clock ten times as fast: a poll every two seconds. */
async function open(
  url: string,
  directory: string,
  headers: Record<string, string[]> = {},
): Promise<Opened> {
  const said: string[] = [];
  const events: NewEvent[] = [];
  const note = (message: string, fields: object = {}) =>
    void said.push(`${message} ${JSON.stringify(fields)}`);
  const source = await openUrlSource({
    url,
    headers,
    dataDir: directory,
    nodeName: 'edge1',
    proxies: NO_PROXIES,
    clock: fastClock(Date.parse('2026-01-01T00:00:00Z'), 10),
    log: { info: note, warn: note, error: note },
    events: { record: event => void events.push(event) },
  });
  cleanups.push(() => source.stop());
  return { source, said, events };
}

const names = (source: UrlSource) => source.snapshot().pods.map(one => one.manifest.metadata.name);
const condition = (source: UrlSource) => source.snapshot().conditions[0];
const isRunning = (source: UrlSource, ...wanted: string[]) =>
  eventually(`pods ${wanted.join()}`, () => names(source).join() === wanted.join());
const reason = (source: UrlSource, wanted: string) =>
  eventually(`reason ${wanted}`, () => condition(source)?.reason === wanted);

describe('the URL source', () => {
  test('row 32: asks at once and then every 20 seconds; row 33: all values of a header are sent', async () => {
    const server = await stub(says(pod('web')));
    const { source, said } = await open(server.url(), dataDir(), {
      'X-Key': ['hunter2', 'hunter3'],
      Authorization: ['Bearer hunter2'],
    });
    await isRunning(source, 'web');
    await eventually('two polls', () => server.requests.length >= 2);
    const [first] = server.requests;
    assert.equal(first?.method, 'GET');
    assert.deepEqual(first.headersDistinct['x-key'], ['hunter2', 'hunter3']);
    assert.equal(first.headers.authorization, 'Bearer hunter2');
    assert.equal(first.headers['if-none-match'], undefined);
    server.answer = says('hunter2 !', 500);
    await reason(source, 'BadStatus');
    assert.doesNotMatch(said.join('\n') + JSON.stringify(source.snapshot()), /hunter/);
  });

  test('row 35: 204, 404 and 500 change nothing; row 36: neither does a server that goes away', async () => {
    const server = await stub(says(pod('web')));
    const { source } = await open(server.url(), dataDir());
    await isRunning(source, 'web');
    for (const status of [204, 404, 500]) {
      server.answer = says(pod('other'), status);
      await eventually(`status ${status}`, () =>
        (condition(source)?.message ?? '').includes(`status ${status}`),
      );
    }
    await server.close();
    await reason(source, 'Unreachable');
    assert.deepEqual(names(source), ['web']);
  });

  test('row 37 better, P23: asks with ETag and Last-Modified; 304 is the last answer', async () => {
    const given = { ETag: '"one"', 'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT' };
    const server = await stub((request, response) => {
      const isKnown = request.headers['if-none-match'] === '"one"';
      says(isKnown ? '' : pod('web'), isKnown ? 304 : 200, given)(request, response);
    });
    const directory = dataDir();
    const first = await open(server.url(), directory);
    await isRunning(first.source, 'web');
    await eventually('a second poll', () => server.requests.length >= 2);
    assert.equal(server.requests[1]?.headers['if-modified-since'], given['Last-Modified']);
    await first.source.stop();
    const asked = server.requests.length;
    const second = await open(server.url(), directory);
    assert.deepEqual(names(second.source), ['web']);
    await reason(second.source, 'Answered');
    assert.equal(server.requests[asked]?.headers['if-none-match'], '"one"');
  });

  test('304 that nobody asked for is a failure', async () => {
    const server = await stub(says('', 304));
    const { source } = await open(server.url(), dataDir());
    await reason(source, 'BadStatus');
    assert.equal(source.snapshot().complete, false);
  });

  test('row 43 better: starts with the last good answer when the server is down; nobody else can read it', async () => {
    const directory = dataDir();
    const server = await stub(says(pod('web')));
    const url = server.url();
    const first = await open(url, directory);
    await isRunning(first.source, 'web');
    const file = join(directory, 'last-body.json');
    await eventually('the answer is kept', () => readFileSync(file, 'utf8').includes('web'));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await first.source.stop();
    await server.close();
    const second = await open(url, directory);
    await reason(second.source, 'Unreachable');
    assert.deepEqual([names(second.source), second.source.snapshot().complete], [['web'], true]);
    const other = await open(`${url}/other`, directory);
    assert.deepEqual(names(other.source), [], 'it is the answer of another URL');
  });

  test('row 10 and 36: an answer over 10 MiB is given up', async () => {
    const server = await stub(says(`# ${'x'.repeat(11 * 1024 * 1024)}`));
    const { source } = await open(server.url(), dataDir());
    await reason(source, 'TooLarge');
  });

  test('row 32: a server that does not finish within ten seconds is a failure', async () => {
    const server = await stub((_request, response) => {
      response.writeHead(200);
      response.write('{');
    });
    const { source } = await open(server.url(), dataDir());
    await reason(source, 'Timeout');
    assert.match(condition(source)?.message ?? '', /within 10 s/);
  });

  test('an answer that is shorter than its Content-Length is a failure', async () => {
    const server = await stub((_request, response) => {
      response.writeHead(200, { 'Content-Length': '100000' });
      response.write(JSON.stringify(pod('web')), () => response.destroy());
    });
    const { source } = await open(server.url(), dataDir());
    await reason(source, 'Unreachable');
  });
});

describe('redirects', () => {
  const get = async (url: string, headers: Record<string, string[]> = {}) =>
    httpGet({
      url,
      headers,
      validators: { etag: null, lastModified: null },
      timeoutMs: 10_000,
      clock: fastClock(0),
      authorities: [],
      proxies: NO_PROXIES,
      signal: new AbortController().signal,
    });
  const to = (location: string, status = 302) => says('', status, { Location: location });

  for (const status of [301, 302, 303, 307, 308]) {
    test(`${status} is followed`, async () => {
      const server = await stub(to('/there', status));
      const target: Answer = says(pod('web'));
      server.answer = (request, response) =>
        (request.url === '/there' ? target : to('/there', status))(request, response);
      assert.equal((await get(server.url())).is, 'body');
    });
  }

  test('ten are followed, not eleven', async () => {
    const chain =
      (length: number): Answer =>
      (request, response) => {
        const at = Number(request.url?.slice(1));
        (at < length ? to(`/${at + 1}`) : says(pod('web')))(request, response);
      };
    const server = await stub(chain(10));
    assert.equal((await get(server.url('/0'))).is, 'body');
    server.answer = chain(11);
    const outcome = await get(server.url('/0'));
    assert.ok(outcome.is === 'failed');
    assert.equal(outcome.reason, 'BadRedirect');
  });

  test('headers go to the same host on another port, and to no other host', async () => {
    const target = await stub(says(pod('web')));
    const server = await stub(to(target.url()));
    const headers = { 'X-Key': ['hunter2'] };
    await get(server.url(), headers);
    assert.equal(target.requests[0]?.headers['x-key'], 'hunter2');
    await get(server.url('/pods', 'localhost'), headers);
    assert.equal(target.requests[1]?.headers['x-key'], undefined);
  });

  const bad: readonly [string, Answer][] = [
    ['to another protocol', to('file:///etc/passwd')],
    ['without a Location', says('', 302)],
    ['to nothing', to('http://')],
  ];
  for (const [sentence, answer] of bad) {
    test(`${sentence} is a failure`, async () => {
      const server = await stub(answer);
      assert.equal((await get(server.url())).is, 'failed');
    });
  }
});

describe('https', () => {
  const openssl = spawnSync('openssl', ['version']).status === 0;
  const skip = openssl ? false : 'there is no openssl to make a certificate';

  test(
    'a server is trusted by the operator’s file of authorities, and by nothing else',
    { skip },
    async () => {
      const directory = dataDir();
      const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
      const made = spawnSync('openssl', [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert],
        ...['-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
      ]);
      assert.equal(made.status, 0, String(made.stderr));
      const server = createTlsServer(
        { key: readFileSync(key), cert: readFileSync(cert) },
        says(pod('web')),
      );
      await new Promise<void>(done => server.listen(0, '127.0.0.1', () => done()));
      cleanups.push(() => new Promise<void>(done => server.close(() => done())));
      const { port } = server.address() as AddressInfo;
      const get = async (authorities: readonly string[], host = 'localhost') =>
        httpGet({
          url: `https://${host}:${port}/pods`,
          headers: {},
          validators: { etag: null, lastModified: null },
          timeoutMs: 10_000,
          clock: fastClock(0),
          authorities,
          proxies: NO_PROXIES,
          signal: new AbortController().signal,
        });
      const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
      const outcome = await get(await readAuthorities(cert, quiet));
      assert.ok(outcome.is === 'body' && outcome.isPrivate);
      const stranger = await get(await readAuthorities(null, quiet));
      assert.ok(stranger.is === 'failed');
      assert.match(stranger.message, /self.signed|certificate/i);
      assert.equal((await get(await readAuthorities(cert, quiet), '127.0.0.1')).is, 'failed');
    },
  );
});
