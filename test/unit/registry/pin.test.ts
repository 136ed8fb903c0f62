/** Tags and what registries answer for them: sentence → input → expectation; the client against an HTTP server. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { locationOf, pinChanges, readAnswer } from '../../../hub/registry/pin.js';
import { resolveImages } from '../../../hub/registry/resolve.js';
import { sha256Hex } from '../../../protocol/canonical.js';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const OCI = 'application/vnd.oci.image';
const INDEX = `${OCI}.index.v1+json`;
const MANIFEST = `${OCI}.manifest.v1+json`;

describe('where an image lies', () => {
  const rows: [string, string | null][] = [
    ['busybox', 'registry-1.docker.io library/busybox latest'],
    ['team/web:2', 'registry-1.docker.io team/web 2'],
    ['ghcr.io/team/web:2', 'ghcr.io team/web 2'],
    ['Registry/web:2', 'Registry web 2'],
    ['127.0.0.1:5000/web', '127.0.0.1:5000 web latest'],
    [`web:1@${digest('a')}`, null],
  ];
  for (const [image, expected] of rows)
    test(image, () => {
      const found = locationOf(image);
      const text = found && `${found.host} ${found.repository} ${found.tag}`;
      assert.equal(text, expected);
    });
});

describe('what an answer says', () => {
  test('an index: its Linux platforms, attestations and other systems left out', () => {
    const manifests = ['linux', 'windows', 'unknown'].map((os, at) => {
      return { digest: digest(String(at)), platform: { os, architecture: 'amd64' } };
    });
    const text = JSON.stringify({ mediaType: INDEX, manifests });
    assert.deepEqual(readAnswer(text, ''), {
      ...{ is: 'index', manifests: [digest('0')] },
      architectures: new Map([[digest('0'), 'amd64']]),
    });
  });

  test('a manifest: the image id; an OCI one may say its type in the header alone', () => {
    const text = JSON.stringify({ config: { digest: digest('c') } });
    const expected = { is: 'manifest', imageId: digest('c'), bytes: null };
    assert.deepEqual(readAnswer(text, `${MANIFEST}; charset=utf-8`), expected);
  });

  test('a manifest: what its configuration and layers take on the way; nothing where one size is no size', () => {
    const sized = (...sizes: unknown[]) => {
      const config = { digest: digest('c'), size: 7 };
      const answer = readAnswer(
        JSON.stringify({ config, layers: sizes.map(size => ({ size })) }),
        MANIFEST,
      );
      return answer.is === 'manifest' ? answer.bytes : answer;
    };
    assert.deepEqual([sized(), sized(100, 20), sized(1, -1), sized('1')], [7, 127, null, null]);
  });

  test('anything else is named by its type', () => {
    const old = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
    assert.deepEqual(readAnswer('{}', old), { is: 'unknown', type: old });
    assert.deepEqual(readAnswer('<html>', 'text/html'), { is: 'unknown', type: 'text/html' });
  });

  test('a type without end is cut', () => {
    const text = JSON.stringify({ mediaType: 'x'.repeat(5000) });
    assert.deepEqual(readAnswer(text, ''), { is: 'unknown', type: `${'x'.repeat(127)}…` });
    assert.deepEqual(readAnswer('<', 'y'.repeat(5000)), {
      is: 'unknown',
      type: `${'y'.repeat(127)}…`,
    });
  });

  test('more values than any image has are not parsed, whatever stands in strings', () => {
    const many = JSON.stringify({
      mediaType: INDEX,
      manifests: Array.from({ length: 60_000 }, () => ({})),
    });
    assert.deepEqual(readAnswer(many, ''), {
      is: 'unknown',
      type: 'JSON of more than 50000 values',
    });
    const annotations = { sbom: JSON.stringify('{[,"\\'.repeat(60_000)) };
    const config = { digest: digest('c') };
    const text = JSON.stringify({ mediaType: MANIFEST, annotations, config });
    assert.deepEqual(readAnswer(text, ''), {
      ...{ is: 'manifest', imageId: digest('c'), bytes: null },
    });
  });

  test('changes of pins: new, moved, gone', () => {
    const pinned = (...pairs: [string, string][]) =>
      pairs.map(([image, one]) => ({ image, digests: [digest(one)] }));
    const changes = pinChanges(
      pinned(['a', '1'], ['b', '1'], ['c', '1']),
      pinned(['b', '1'], ['c', '2'], ['d', '1']),
    );
    assert.deepEqual(
      changes.map(
        ({ image, before, after }) => `${image} ${before.slice(7, 8)}>${after.slice(7, 8)}`,
      ),
      ['a 1>', 'c 1>2', 'd >1'],
    );
  });
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function withServer(handler: Handler, work: (host: string) => Promise<void>): Promise<void> {
  const server = createServer(handler);
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  try {
    await work(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

const keyring = (host: string) => [
  { key: host, auth: { username: 'me', password: 'secret-word', serverAddress: host } },
];
const resolve = (host: string, logins = keyring(host)) =>
  resolveImages([`${host}/web:1`], { keyring: logins, signal: AbortSignal.timeout(10_000) });

describe('the client of a registry', () => {
  const platform = JSON.stringify({ mediaType: MANIFEST, config: { digest: digest('c') } });
  const platformDigest = `sha256:${sha256Hex(platform)}`;
  const index = JSON.stringify({
    mediaType: INDEX,
    manifests: [{ digest: platformDigest, platform: { os: 'linux' } }],
  });

  test('a token for a login, then index, platform and image id', async () => {
    const handler: Handler = (request, response) => {
      const { authorization } = request.headers;
      const url = request.url ?? '';
      const host = request.headers.host ?? '';
      if (url.startsWith('/token?')) {
        const basic = `Basic ${Buffer.from('me:secret-word').toString('base64')}`;
        assert.match(url, /service=reg&scope=repository%3Aweb%3Apull/);
        response.writeHead(authorization === basic ? 200 : 401).end('{"token":"T"}');
      } else if (authorization !== 'Bearer T') {
        const challenge = `Bearer realm="http://${host}/token",service="reg",scope="repository:web:pull"`;
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      } else {
        response.writeHead(200).end(url.endsWith('/1') ? index : platform);
      }
    };
    await withServer(handler, async host => {
      const { entries, unresolved } = await resolve(host);
      assert.deepEqual(unresolved, []);
      const digests = [`sha256:${sha256Hex(index)}`, platformDigest, digest('c')];
      assert.deepEqual(entries, [{ image: `${host}/web:1`, digests }]);
    });
  });

  test('a login page in the clear elsewhere gets no password', async () => {
    const handler: Handler = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://evil.example/t"' }).end();
    };
    await withServer(handler, async host => {
      const { entries, unresolved } = await resolve(host);
      assert.deepEqual(entries, []);
      assert.match(
        unresolved[0]?.error.message ?? '',
        /login at http:\/\/evil\.example, in the clear/,
      );
    });
  });

  test('of more platforms than a bundle can bind none is asked for', async () => {
    const digests = Array.from({ length: 64 }, (_, at) => `sha256:${sha256Hex(Buffer.from([at]))}`);
    const manifests = digests.map(one => ({ digest: one, platform: { os: 'linux' } }));
    const asked: string[] = [];
    const handler: Handler = ({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(200).end(JSON.stringify({ mediaType: INDEX, manifests }));
    };
    await withServer(handler, async host => {
      const [found] = (await resolve(host)).unresolved;
      assert.match(found?.error.message ?? '', /^65 digests for its platforms, the limit is 64$/);
    });
    assert.deepEqual(asked, ['/v2/web/manifests/1']);
  });

  const refused: [string, Handler, string, RegExp][] = [
    ['unknown', (_q, r) => r.writeHead(404).end(), 'NotFound', /no such image/],
    ['down', (_q, r) => r.writeHead(503).end(), 'Unreachable', /answers 503/],
    ['forbidden', (_q, r) => r.writeHead(403).end(), 'Unauthorized', /does not show it/],
    ['no image', (_q, r) => r.writeHead(200).end('<html>'), 'BadAnswer', /not an image of/],
    [
      'a content without end that it says it is',
      (_q, r) => r.writeHead(200, { 'docker-content-digest': 'f'.repeat(5000) }).end(index),
      'BadAnswer',
      /answers f{255}… with content of sha256:/,
    ],
    [
      'other content than it says',
      (_q, r) => r.writeHead(200, { 'docker-content-digest': digest('f') }).end(index),
      'BadAnswer',
      /answers sha256:f+ with content of sha256:/,
    ],
    [
      'other content than asked for',
      (_q, r) => r.writeHead(200).end(index),
      'BadAnswer',
      /with content of/,
    ],
  ];
  for (const [sentence, handler, code, message] of refused) {
    test(`${sentence}: ${code}, without the password`, async () => {
      await withServer(handler, async host => {
        const [found] = (await resolve(host)).unresolved;
        assert.equal(found?.error.code, code);
        assert.match(found?.error.message ?? '', message);
        assert.doesNotMatch(found?.error.message ?? '', /secret-word/);
      });
    });
  }
});
