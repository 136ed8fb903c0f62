/** The root that a command goes by: what is pinned, and the chain from there. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { ApiClient } from '../../../hub/cli/client.js';
import { fetchRoot, fingerprintOf, readTrustedRoot } from '../../../hub/cli/trusted-root.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import { CliError } from '../../../protocol/cli-error.js';
import type { RootDocument } from '../../../protocol/documents/root.js';
import { seal } from '../../../protocol/envelope.js';
import { HUB, ROOT, rootDocument } from '../../support/fleet.js';

const digestOf = (document: RootDocument) => sha256Hex(canonicalJson(document));
const chain = [1, 2, 3].map(version => rootDocument({ version }));
const [first, second, third] = chain as [RootDocument, RootDocument, RootDocument];

/** A hub that serves these, by version and by digest. */
function hubWith(envelopes: readonly Buffer[]): ApiClient {
  const served = new Map<string, object>();
  for (const [index, envelope] of envelopes.entries()) {
    const value = JSON.parse(envelope.toString()) as { payload: string };
    served.set(`/flotilla/v1/roots/${index + 1}`, value);
    const digest = sha256Hex(Buffer.from(value.payload, 'base64'));
    served.set(`/flotilla/v1/root/${digest}`, value);
  }
  const client: Pick<ApiClient, 'get' | 'connection'> = {
    get: async <T>(path: string) => (served.get(path) as T | undefined) ?? null,
    connection: { server: new URL('https://hub:8443') } as ApiClient['connection'],
  };
  return client as ApiClient;
}

const signed = (document: RootDocument, by = ROOT) => seal('root', document, [by]);
const refused = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CliError, String(error));
  assert.match(error.message, pattern);
  return true;
};

describe('the root of the hub', () => {
  const whole = hubWith(chain.map(document => signed(document)));

  test('is the newest that follows the pinned one, or the first', async () => {
    for (const pin of [null, digestOf(first), digestOf(second), digestOf(third)]) {
      assert.equal((await fetchRoot(whole, pin)).document.version, 3, pin ?? 'no pin');
    }
  });

  const rows: readonly [string, ApiClient, string | null, RegExp][] = [
    ['a hash that no root has', whole, '0'.repeat(64), /no such root/],
    ['a hub that has none', hubWith([]), null, /no such root/],
    ['a first root that did not sign itself', hubWith([signed(first, HUB)]), null, /BadSignature/],
    [
      'a next one by other keys',
      hubWith([signed(first), signed(second, HUB)]),
      digestOf(first),
      /BadSignature/,
    ],
    [
      'a next one of another fleet',
      hubWith([signed(first), signed({ ...second, fleet: '1'.repeat(32) })]),
      digestOf(first),
      /WrongFleet/,
    ],
    [
      'a next one that leaves one out',
      hubWith([signed(first), signed(third)]),
      digestOf(first),
      /RootRequired/,
    ],
  ];
  for (const [sentence, client, pin, pattern] of rows) {
    test(`refused: ${sentence}`, () => assert.rejects(fetchRoot(client, pin), refused(pattern)));
  }

  test('is pinned by sha256: and 64 digits, and by nothing less', () => {
    assert.equal(fingerprintOf(`sha256:${digestOf(first)}`), digestOf(first));
    for (const spec of ['root.json', digestOf(first), 'sha256:abc', `SHA256:${digestOf(first)}`])
      assert.equal(fingerprintOf(spec), null, spec);
  });
});

describe('a root in a file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'fl-root-'));
  after(() => rmSync(dir, { recursive: true }));
  const write = (content: string | Buffer) => {
    const path = join(dir, 'root.json');
    writeFileSync(path, content);
    return path;
  };

  test('is read, with a line end or without', () => {
    const envelope = signed(second);
    for (const text of [envelope, `${envelope.toString()}\n`])
      assert.equal(readTrustedRoot(write(text)).digest, digestOf(second));
  });

  test('is refused unsigned, half, large, absent', () => {
    assert.throws(() => readTrustedRoot(write(signed(second, HUB))), refused(/BadSignature/));
    const half = signed(second).subarray(0, 100);
    assert.throws(() => readTrustedRoot(write(half)), refused(/Malformed/));
    assert.throws(() => readTrustedRoot(write('x'.repeat(2_000_000))), refused(/too large/));
    assert.throws(() => readTrustedRoot(join(dir, 'none')), refused(/no such file/));
  });
});
