/**
 * The URL source and the environment's proxies: which one is chosen (a table after Go's own), and what goes over the wire
 * of a real proxy.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { httpGet } from '../../../agent/sources/http-get.js';
import {
  proxyFor,
  proxyVariables,
  type ProxyVariables,
} from '../../../agent/sources/proxy-choice.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const PROXY = 'http://proxy:3128';

describe('which proxy, row 32: as the kubelet reads the environment', () => {
  const both = { HTTP_PROXY: PROXY, HTTPS_PROXY: 'http://tls:3129' };
  const rows: readonly [string, Record<string, string>, string, string][] = [
    ['nothing is set', {}, 'http://h/', 'direct'],
    ['http goes through HTTP_PROXY', both, 'http://h/', 'http://proxy:3128/'],
    ['https goes through HTTPS_PROXY', both, 'https://h/', 'http://tls:3129/'],
    ['https does not go through HTTP_PROXY', { HTTP_PROXY: PROXY }, 'https://h/', 'direct'],
    ['lower case counts', { http_proxy: PROXY }, 'http://h/', 'http://proxy:3128/'],
    [
      'upper case goes first',
      { http_proxy: 'http://low', HTTP_PROXY: PROXY },
      'http://h/',
      'http://proxy:3128/',
    ],
    ['an empty variable is none', { HTTP_PROXY: '' }, 'http://h/', 'direct'],
    ['a proxy without a scheme is http', { HTTP_PROXY: 'p:8080' }, 'http://h/', 'http://p:8080/'],
    ['localhost is asked directly', both, 'http://localhost:1/', 'direct'],
    ['so is 127.0.0.9', both, 'http://127.0.0.9/', 'direct'],
    ['so is ::1', both, 'http://[::1]/', 'direct'],
    ['not so a name that begins so', both, 'http://localhost.example/', 'http://proxy:3128/'],
  ];
  for (const [says, env, url, wanted] of rows) {
    test(says, () => {
      const choice = proxyFor(new URL(url), proxyVariables(env));
      assert.equal(choice.is === 'proxy' ? choice.proxy.href : choice.is, wanted);
    });
  }

  const exceptions: readonly [string, string, boolean][] = [
    ['*', 'http://anything/', true],
    ['other, Example.com', 'http://example.com/', true],
    ['example.com', 'http://pods.EXAMPLE.com/', true],
    ['example.com', 'http://myexample.com/', false],
    ['.example.com', 'http://pods.example.com/', true],
    ['.example.com', 'http://example.com/', false],
    ['*.example.com', 'http://pods.example.com/', true],
    ['*.example.com', 'http://example.com/', false],
    ['example.com:8080', 'http://example.com:8080/', true],
    ['example.com:8080', 'http://example.com/', false],
    ['example.com:80', 'http://example.com/', true],
    ['10.1.2.3', 'http://10.1.2.3/', true],
    ['10.1.2.3:81', 'http://10.1.2.3/', false],
    ['10.0.0.0/8', 'http://10.200.0.1/', true],
    ['10.0.0.0/8', 'http://11.0.0.1/', false],
    ['10.0.0.0/8', 'http://ten.example/', false],
    ['10.0.0.0/99', 'http://10.0.0.1/', false],
    ['fd00::/8', 'http://[fd12::1]/', true],
    ['fd00::5', 'http://[fd00:0::5]/', true],
    ['[fd00::5]:8080', 'http://[fd00::5]:8080/', true],
    ['[fd00::5]:8080', 'http://[fd00::5]/', false],
    [' , ,', 'http://h/', false],
    [':80', 'http://h/', false],
  ];
  for (const [except, url, isDirect] of exceptions) {
    test(`NO_PROXY="${except}": ${url} is asked ${isDirect ? 'directly' : 'through it'}`, () => {
      const choice = proxyFor(new URL(url), { http: PROXY, https: null, except });
      assert.equal(choice.is, isDirect ? 'direct' : 'proxy');
    });
  }

  for (const [text, wanted] of [
    ['socks5://me:hunter2@h:1080', /^HTTP_PROXY: .*socks5 are not supported/],
    ['http://me:hunter2@:x', /^HTTP_PROXY is no URL/],
  ] as const) {
    test(`an unusable one is said without its password: ${text.slice(0, 10)}`, () => {
      const choice = proxyFor(new URL('http://h/'), { http: text, https: null, except: '' });
      assert.ok(choice.is === 'unusable');
      assert.match(choice.message, wanted);
      assert.doesNotMatch(choice.message, /hunter2/);
    });
  }
});

const BODY = '{"apiVersion":"v1","kind":"PodList","items":[]}';

async function listen(server: Server): Promise<number> {
  await new Promise<void>(done => server.listen(0, '127.0.0.1', () => done()));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A proxy that knows every name as this machine. */
class RealProxy {
  readonly asked: IncomingMessage[] = [];
  readonly server = createServer((request, response) => {
    this.asked.push(request);
    const { pathname, port } = new URL(request.url ?? '');
    const onward = httpRequest(
      { host: '127.0.0.1', port, path: pathname, headers: request.headers, agent: false },
      answer => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      },
    );
    onward.end();
  });
  /** Connections to it that are open. */
  readonly open = new Set<Socket>();
  refuses = false;

  constructor() {
    this.server.on('connection', (socket: Socket) => {
      this.open.add(socket);
      socket.on('close', () => this.open.delete(socket));
    });
    this.server.on('connect', (request: IncomingMessage, socket) => {
      this.asked.push(request);
      if (this.refuses) return void socket.resume().end('HTTP/1.1 407 No\r\n\r\n');
      const onward = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      onward.on('error', () => socket.destroy());
      onward.on('close', () => socket.resume());
      socket.on('error', () => onward.destroy());
    });
  }
}

async function get(url: string, proxies: ProxyVariables, authorities: readonly string[] = []) {
  return httpGet({
    url,
    headers: { 'X-Key': ['hunter2'] },
    validators: { etag: null, lastModified: null },
    timeoutMs: 10_000,
    clock: fastClock(0),
    authorities,
    proxies,
    signal: new AbortController().signal,
  });
}

describe('through a real proxy, row 32', () => {
  test('an http URL is asked for by its whole address, with the proxy’s credentials and our headers', async () => {
    const seen: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      seen.push(request);
      response.end(BODY);
    });
    const [proxy, port] = [new RealProxy(), await listen(server)];
    const at = await listen(proxy.server);
    const http = `http://me:p%40ss@127.0.0.1:${at}`;
    const outcome = await get(`http://u:v@pods.example:${port}/pods`, {
      http,
      https: null,
      except: '',
    });
    assert.ok(outcome.is === 'body', JSON.stringify(outcome));
    assert.equal(outcome.isPrivate, false);
    assert.equal(Buffer.from(outcome.body.bytes).toString(), BODY);
    const [asked] = proxy.asked;
    assert.equal(asked?.url, `http://pods.example:${port}/pods`);
    const basic = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
    assert.equal(asked.headers['proxy-authorization'], basic);
    assert.equal(seen[0]?.headers.host, `pods.example:${port}`);
    assert.equal(seen[0].headers['x-key'], 'hunter2');
    const own = `Basic ${Buffer.from('u:v').toString('base64')}`;
    assert.equal(seen[0].headers.authorization, own);
  });

  test('a redirect is asked through it too, unless NO_PROXY has its host', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/there') return void response.end(BODY);
      response.writeHead(302, { Location: `http://localhost:${port}/there` });
      response.end();
    });
    const proxy = new RealProxy();
    const port = await listen(server);
    const http = `http://127.0.0.1:${await listen(proxy.server)}`;
    const outcome = await get(`http://pods.example:${port}/`, { http, https: null, except: '' });
    assert.equal(outcome.is, 'body');
    assert.equal(proxy.asked.length, 1, 'localhost is asked directly');
  });

  test('a proxy that is away is a failure that names it, without its password', async () => {
    const http = 'http://me:hunter3@127.0.0.1:1';
    const outcome = await get('http://pods.example/', { http, https: null, except: '' });
    assert.ok(outcome.is === 'failed');
    assert.equal(outcome.reason, 'ProxyFailed');
    assert.match(outcome.message, /^the proxy http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/);
    assert.doesNotMatch(JSON.stringify(outcome), /hunter/);
  });

  const openssl = spawnSync('openssl', ['version']).status === 0;
  const skip = openssl ? false : 'there is no openssl to make a certificate';

  function certificate(name: string): { key: string; cert: string } {
    const directory = mkdtempSync(join(tmpdir(), 'flotilla-proxy-'));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert],
      ...['-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`],
    ]);
    assert.equal(made.status, 0, String(made.stderr));
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  }

  test(
    'an https URL is asked for in a tunnel: the proxy reads nothing of it, the server’s certificate counts',
    { skip },
    async () => {
      const pair = certificate('pods.example');
      const server = createTlsServer(pair, (_request, response) => void response.end(BODY));
      const proxy = new RealProxy();
      const port = await listen(server);
      const https = `http://me:hunter3@127.0.0.1:${await listen(proxy.server)}`;
      const proxies = { http: null, https, except: '' };
      const outcome = await get(`https://pods.example:${port}/pods`, proxies, [pair.cert]);
      assert.ok(outcome.is === 'body' && outcome.isPrivate, JSON.stringify(outcome));
      const [asked] = proxy.asked;
      assert.equal(asked?.method, 'CONNECT');
      assert.equal(asked.url, `pods.example:${port}`);
      assert.equal(asked.headers['x-key'], undefined);
      const other = await get(`https://other.example:${port}/`, proxies, [pair.cert]);
      assert.ok(other.is === 'failed');
      assert.match(other.message, /other\.example/);
      assert.equal((await get(`https://pods.example:${port}/`, proxies)).is, 'failed');
      proxy.refuses = true;
      const refused = await get(`https://pods.example:${port}/pods`, proxies, [pair.cert]);
      assert.ok(refused.is === 'failed');
      assert.match(refused.message, /^the proxy .*: status 407 to CONNECT pods\.example/);
      assert.doesNotMatch(JSON.stringify(refused), /hunter/);
      await eventually('no connection is left open', () => proxy.open.size === 0);
    },
  );

  test('a proxy that is itself asked over TLS', { skip }, async () => {
    const pair = certificate('localhost');
    const asked: string[] = [];
    const proxy = createTlsServer(pair, (request, response) => {
      asked.push(request.url ?? '');
      response.end(BODY);
    });
    const http = `https://localhost:${await listen(proxy)}`;
    const proxies = { http, https: null, except: '' };
    const outcome = await get('http://pods.example/pods', proxies, [pair.cert]);
    assert.equal(outcome.is, 'body', JSON.stringify(outcome));
    assert.deepEqual(asked, ['http://pods.example/pods']);
  });
});
