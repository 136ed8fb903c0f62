/** Keys that secrets are sealed for: remembered at first sight, asked about when they are others (a hub in foreign hands). */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Context } from '../../../hub/cli/context.js';
import { fingerprintOf } from '../../../hub/cli/fingerprint.js';
import { trustKeys } from '../../../hub/cli/known-nodes.js';
import { CliError } from '../../../protocol/cli-error.js';
import { keyId } from '../../../protocol/keys.js';
import { FLEET } from '../../support/fleet.js';
import { secretContent, sealingKey } from '../../support/sealed.js';

let dir = '';
let warned: string[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fl-known-'));
  warned = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

const file = () => join(dir, 'kubeconfig.known-nodes');
const nodes = (key: string) => [
  { node: 'edge-1', identityKey: '', sealingKey: sealingKey(key).publicKey, has: {} },
];

async function trust(key: string, answer: string | null = null, acceptNewKeys = false) {
  const context = {
    env: {},
    terminal: { warn: (line: string) => void warned.push(line), ask: async () => answer },
  } as unknown as Context;
  const options = { kubeconfig: join(dir, 'kubeconfig'), acceptNewKeys };
  try {
    await trustKeys(context, { fleet: FLEET, nodes: nodes(key) }, options);
    return 'trusted';
  } catch (error) {
    assert.ok(error instanceof CliError);
    return error.message;
  }
}
const known = () => readFileSync(file(), 'utf8');
const line = (key: string) => `${FLEET} edge-1 ${keyId(sealingKey(key).publicKey)}\n`;

describe('the keys that secrets are sealed for', () => {
  test('are remembered at first sight, and the same again is no question', async () => {
    assert.equal(await trust('a'), 'trusted');
    assert.equal(known(), line('a'));
    assert.equal(await trust('a'), 'trusted');
    assert.deepEqual(warned, []);
  });

  test('other ones are refused where nobody answers, and nothing is remembered', async () => {
    await trust('a');
    assert.match(await trust('b'), /nothing was done/);
    assert.equal(known(), line('a'));
    assert.match(warned.join(), /other sealing keys than before: edge-1.*foreign hands/);
    assert.match(await trust('b', 'n'), /nothing was done/);
  });

  for (const [how, answer, accept] of [
    ['after a yes', 'y', false],
    ['with --accept-new-keys', null, true],
  ] as const) {
    test(`other ones are taken ${how}`, async () => {
      await trust('a');
      assert.equal(await trust('b', answer, accept), 'trusted');
      assert.equal(known(), line('b'));
    });
  }

  test('a damaged file is refused with its line', async () => {
    writeFileSync(file(), `${line('a')}nonsense\n`);
    assert.match(await trust('a'), /known-nodes:2: not "FLEET NODE KEY"/);
  });
});

describe('the fingerprint of a secret', () => {
  const of = (data: Record<string, string>, key: string | undefined = 'KEY', name = 'db') =>
    fingerprintOf(key, [FLEET, 'default', 'shop', name], secretContent(data));
  test('is the same for the same values under the same key, in whatever order', () => {
    assert.equal(of({ a: '1', b: '2' }), of({ b: '2', a: '1' }));
  });
  test('is another for other values, names, keys and secrets', () => {
    const all = [
      of({ a: '1', b: '2' }),
      of({ a: '12', b: '' }),
      of({ a: '1', c: '2' }),
      of({ a: '1', b: '2' }, 'OTHER'),
      of({ a: '1', b: '2' }, 'KEY', 'other'),
    ];
    assert.equal(new Set(all).size, all.length);
  });
  test('is none without a key', () => {
    assert.equal(fingerprintOf(undefined, [], secretContent({ a: '1' })), null);
  });
});
