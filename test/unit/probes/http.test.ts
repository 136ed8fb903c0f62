/** The httpGet probe against real servers: kubelet behaviour rows 97, 99 to 101, 105. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { httpProbe } from '../../../agent/probes/http.js';
import type { HTTPGetAction } from '../../../protocol/pod.js';
import { closedPort, listen, readiness, targetOf } from './world.js';

/** A certificate that nobody has a reason to trust. */
function selfSigned(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-cert-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '1',
      ].concat(['-subj', '/CN=elsewhere', '-keyout', key, '-out', cert]),
      { stdio: 'ignore' },
    );
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const seen: IncomingMessage[] = [];
const open = new Set<Server>();
let port = 0;
let tlsPort = 0;
let silentPort = 0;
let rudePort = 0;

function answer(request: IncomingMessage, response: ServerResponse): void {
  seen.push(request);
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
  const [, what = '', value = ''] = pathname.split('/');
  if (what === 'status') response.writeHead(Number(value)).end('a body that nobody may see');
  else if (what === 'to')
    response.writeHead(302, { location: searchParams.get('url') ?? '' }).end();
  else if (what === 'loop') {
    const left = Number(value);
    if (left > 0) response.writeHead(301, { location: `/loop/${left - 1}` }).end();
    else response.end('ok');
  } else if (what === 'endless') {
    response.write('x'.repeat(Number(value)));
  } else if (what === 'never') return;
  else if (what === 'upgrade')
    response.writeHead(101, { connection: 'upgrade', upgrade: 'x' }).end();
  else response.end('ok');
}

before(async () => {
  const http = createServer(answer);
  const tls = createTlsServer(selfSigned(), answer);
  const silent = createTcpServer(() => undefined);
  const rude = createTcpServer(socket => socket.on('data', () => socket.destroy()));
  for (const server of [http, tls, silent, rude]) open.add(server);
  [port, tlsPort, silentPort, rudePort] = (await Promise.all(
    [http, tls, silent, rude].map(listen),
  )) as [number, number, number, number];
});
after(() => {
  for (const server of open) server.close();
  for (const { socket } of seen) socket.destroy();
});

async function probe(action: Partial<HTTPGetAction>, timeoutMs = 5000) {
  const container = { ...readiness({}), ports: [{ name: 'http', containerPort: port }] };
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  try {
    return await httpProbe(
      { port, ...action },
      { target: targetOf(container), timeoutMs, signal: timeout.signal },
    );
  } finally {
    clearTimeout(timer);
  }
}

const last = () => seen.at(-1) as IncomingMessage;

describe('which answers pass', () => {
  const rows: [string, Partial<HTTPGetAction>, string][] = [
    ['row 99: 200 passes', { path: '/status/200' }, 'success'],
    ['row 99: 204 passes', { path: '/status/204' }, 'success'],
    ['row 99: 400 fails', { path: '/status/400' }, 'failure'],
    ['row 99: 503 fails', { path: '/status/503' }, 'failure'],
    ['a switch of protocols fails', { path: '/upgrade' }, 'failure'],
    [
      'row 99: a redirect on the same host is followed to its good end',
      { path: '/to?url=/status/200' },
      'success',
    ],
    [
      'row 99: a redirect on the same host is followed to its bad end',
      { path: '/to?url=/status/500' },
      'failure',
    ],
    [
      'row 99: a redirect to another port of the host is followed',
      { path: '/to?url=//127.0.0.1:PORT/status/500' },
      'failure',
    ],
    ['row 99: nine redirects are followed', { path: '/loop/9' }, 'success'],
    ['row 99: the tenth is too many', { path: '/loop/10' }, 'failure'],
    [
      'row 100: a redirect to another host passes with a warning',
      { path: '/to?url=http://elsewhere.example/' },
      'warning',
    ],
    ['a redirect that names no place passes with a warning', { path: '/status/302' }, 'warning'],
    ['304 passes with a warning', { path: '/status/304' }, 'warning'],
    ['row 99: no more than 10 KiB of a body are waited for', { path: '/endless/20000' }, 'success'],
    ['row 105: a named port is the container’s', { port: 'http' }, 'success'],
    ['row 97: a name that the container has no port for is an error', { port: 'https' }, 'error'],
    ['a host that no URL can have is an error', { host: 'a b' }, 'error'],
  ];
  for (const [sentence, action, expected] of rows) {
    test(sentence, async () => {
      const path = action.path?.replace('PORT', String(port));
      assert.equal(
        (await probe({ ...action, ...(path === undefined ? {} : { path }) })).is,
        expected,
      );
    });
  }
});

describe('what a failure says', () => {
  test('the status, and never the body', async () => {
    assert.deepEqual(await probe({ path: '/status/503' }), {
      is: 'failure',
      message: 'HTTP probe failed with statuscode: 503',
    });
  });
  test('where nobody listens', async () => {
    const closed = await closedPort(createTcpServer());
    assert.deepEqual(await probe({ port: closed, path: 'live' }), {
      is: 'failure',
      message: `Get "http://127.0.0.1:${closed}/live": connect: connection refused`,
    });
  });
  for (const [sentence, path] of [
    ['row 102: that an answer takes too long', '/never'],
    ['that a body takes too long', '/endless/10'],
  ] as const) {
    test(sentence, async () => {
      const result = await probe({ path }, 60);
      assert.match('message' in result ? result.message : '', /deadline exceeded/);
      assert.equal(result.is, 'failure');
    });
  }
  test('that the other side accepts and stays silent, or goes away', async () => {
    assert.equal((await probe({ port: silentPort }, 60)).is, 'failure');
    assert.equal((await probe({ port: rudePort })).is, 'failure');
  });
});

describe('row 101: what a request looks like', () => {
  const header = (name: string) => last().headers[name];

  test('as the kubelet’s', async () => {
    await probe({ path: '/x?a=b#c' });
    assert.equal(last().url, '/x?a=b');
    assert.deepEqual(
      { ...last().headers },
      {
        host: `127.0.0.1:${port}`,
        'user-agent': 'kube-probe/1.36',
        accept: '*/*',
        connection: 'close',
      },
    );
  });
  test('given headers replace these', async () => {
    await probe({
      httpHeaders: [
        { name: 'user-agent', value: 'me' },
        { name: 'ACCEPT', value: 'text/plain' },
        { name: 'host', value: 'shop.example' },
      ],
    });
    assert.deepEqual(
      [header('user-agent'), header('accept'), header('host')],
      ['me', 'text/plain', 'shop.example'],
    );
  });
  test('empty ones remove them', async () => {
    await probe({
      httpHeaders: [
        { name: 'User-Agent', value: '' },
        { name: 'Accept', value: '' },
      ],
    });
    assert.deepEqual([header('user-agent'), header('accept')], [undefined, undefined]);
  });
  test('a header may be given twice, and holds UTF-8', async () => {
    await probe({
      httpHeaders: [
        { name: 'x-a', value: '1' },
        { name: 'X-A', value: 'ü' },
      ],
    });
    assert.deepEqual(
      last().rawHeaders.filter((_, index, all) => all[index - 1] === 'X-A'),
      ['1', Buffer.from('ü').toString('latin1')],
    );
  });
  test('the Host goes with a redirect that names none', async () => {
    await probe({
      path: '/to?url=/status/200',
      httpHeaders: [{ name: 'Host', value: 'shop.example' }],
    });
    assert.deepEqual([last().url, header('host')], ['/status/200', 'shop.example']);
  });
  test('a path goes as it is written, but for what cannot', async () => {
    await probe({ path: 'a/../b c/é%20' });
    assert.equal(last().url, '/a/../b%20c/%C3%A9%20');
  });
  test('a certificate is not asked for its trust', async () => {
    assert.equal(
      (await probe({ port: tlsPort, scheme: 'HTTPS', path: '/status/200' })).is,
      'success',
    );
    assert.equal(
      (await probe({ port: tlsPort, scheme: 'HTTPS', path: '/status/500' })).is,
      'failure',
    );
    assert.equal((await probe({ port, scheme: 'HTTPS' })).is, 'failure');
  });
});
