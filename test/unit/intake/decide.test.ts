/** Decisions of the intake: sentence → input → expectation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { unpackBlob } from '../../../agent/intake/blobs.js';
import {
  conflictWith,
  makerOf,
  mayLogRefusal,
  memoryAllows,
  ownedContent,
  rootAllows,
  stageManifest,
} from '../../../agent/intake/decide.js';
import { PacketGuard } from '../../../protocol/packet-guard.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { ManifestEntry } from '../../../protocol/documents/bundle.js';
import { NO_BINDINGS } from '../../../protocol/image-binding.js';
import { ownedFileName } from '../../../protocol/names.js';
import type { Result } from '../../../protocol/refusal.js';
import { assigned, bundleDocument, podManifest, rootDocument } from '../../support/fleet.js';
import { codeOf } from '../../support/verdict.js';

const SHOP = { namespace: 'default', name: 'shop' };
const STAGED = { bundle: SHOP, bindings: NO_BINDINGS };

/** A pod of so many containers, each with so many `env` entries. */
function crowd(containers: number, entries: number): string {
  const env = Array.from({ length: entries }, (_, i) => ({ name: `E${i}`, value: 'x' }));
  return canonicalJson({
    ...podManifest('web'),
    spec: {
      containers: Array.from({ length: containers }, (_, i) => ({
        name: `c${i}`,
        image: 'x',
        env,
      })),
    },
  });
}

describe('what a revision is refused for', () => {
  const bundle = assigned(bundleDocument(undefined, { revision: 5 }));
  const rows: [string, Result<unknown>, string][] = [
    ['nothing', rootAllows(bundle, rootDocument()), 'accepted'],
    ['a denial', rootAllows(bundle, rootDocument({ denied: [bundle.digest] })), 'Denied'],
    [
      "the root's floor",
      rootAllows(bundle, rootDocument({ floors: { 'default/shop': 6 } })),
      'Rollback',
    ],
    [
      'at the floor it may run',
      rootAllows(bundle, rootDocument({ floors: { 'default/shop': 5 } })),
      'accepted',
    ],
    [
      'a floor that a healthy revision set (S21)',
      memoryAllows(bundle, { knownDigest: null, rollbackFloor: 6 }),
      'Rollback',
    ],
    [
      'another digest under its number (S24)',
      memoryAllows(bundle, { knownDigest: '00', rollbackFloor: 0 }),
      'Equivocation',
    ],
    [
      'the same digest is no equivocation',
      memoryAllows(bundle, { knownDigest: bundle.digest, rollbackFloor: 5 }),
      'accepted',
    ],
  ];
  for (const [sentence, result, code] of rows) {
    test(`${sentence}: ${code}`, () => assert.equal(codeOf(result), code));
  }
});

function entryOf(text: string, name = 'web'): ManifestEntry {
  const size = Buffer.byteLength(text);
  return { kind: 'Pod', name, digest: sha256Hex(text), size, parts: [] };
}

describe('a manifest of a bundle', () => {
  const good = canonicalJson(podManifest('web'));
  const spec = { containers: [{ name: 'main', image: 'web:1' }] };
  const pod = (metadata: object, extra: object = {}) =>
    canonicalJson({ apiVersion: 'v1', kind: 'Pod', metadata, spec, ...extra });
  const rows: [string, string, ManifestEntry, string][] = [
    ['that is as signed', good, entryOf(good), 'accepted'],
    ['with another digest', `${good} `, entryOf(good), 'MixMatch'],
    ['in another form (S43)', `${good} `, entryOf(`${good} `), 'Malformed'],
    ['as YAML (S49)', 'kind: Pod', entryOf('kind: Pod'), 'Malformed'],
    ['under another name', good, entryOf(good, 'other'), 'MixMatch'],
    ...(
      [
        ['of another namespace', pod({ name: 'web', namespace: 'kube-system' }), 'Malformed'],
        [
          'with a uid of its own',
          pod({ name: 'web', namespace: 'default', uid: 'x' }),
          'Malformed',
        ],
        [
          'with an unknown field (S94)',
          pod({ name: 'web', namespace: 'default', colour: 'red' }),
          'Malformed',
        ],
        [
          'that climbs out of the directory (S51)',
          pod({ name: '../x', namespace: 'default' }),
          'Malformed',
        ],
        ['with more containers than a small machine has room for (S50)', crowd(65, 1), 'TooLarge'],
        ['with more env entries than anybody writes (S50)', crowd(1, 1001), 'TooLarge'],
      ] as const
    ).map(([sentence, text, code]): [string, string, ManifestEntry, string] => [
      sentence,
      text,
      entryOf(text),
      code,
    ]),
  ];
  for (const [sentence, text, entry, code] of rows) {
    test(`${sentence}: ${code}`, () => {
      assert.equal(codeOf(stageManifest(Buffer.from(text), entry, STAGED)), code);
    });
  }

  test('a refusal names fields, never what they hold', () => {
    const text = pod(
      { name: 'web', namespace: 'default' },
      { spec: { ...spec, hunter2: 'hunter2' } },
    );
    const result = stageManifest(Buffer.from(text), entryOf(text), STAGED);
    assert.ok(!result.ok);
    assert.doesNotMatch(result.refusal.detail.replace('spec.hunter2', ''), /hunter2/);
  });

  test('its file has a name from checked names, both annotations, and is known as ours', () => {
    const staged = stageManifest(Buffer.from(good), entryOf(good), STAGED);
    assert.ok(staged.ok);
    const { owned, bytes } = staged.value;
    assert.equal(owned.file, ownedFileName(SHOP, 'web'));
    assert.equal(owned.content, sha256Hex(bytes));
    assert.deepEqual(makerOf(owned.file, bytes), SHOP);
    assert.equal(makerOf(ownedFileName(SHOP, 'other'), bytes), null);
    assert.equal(makerOf(owned.file, Buffer.from('not json')), null);
    const written = JSON.parse(bytes.toString()) as { metadata: { annotations: object } };
    assert.deepEqual(written.metadata.annotations, {
      'flotilla.dev/bundle': 'default/shop',
      'flotilla.dev/manifest': sha256Hex(good),
    });
  });

  test('annotations of its own stay', () => {
    const manifest = { metadata: { name: 'web', annotations: { a: 'b' } } };
    const text = ownedContent(manifest, { ...STAGED, digest: 'd' }).toString();
    assert.match(text, /"annotations":\{"a":"b","flotilla.dev\/bundle":"default\/shop"/);
  });
});

describe('two bundles', () => {
  const withPort = (name: string, port: object, hostNetwork = false) => ({
    metadata: { name, namespace: 'default' },
    spec: { hostNetwork, containers: [{ name: 'c', image: 'i', ports: [port as never] }] },
  });
  const running = {
    bundle: { namespace: 'default', name: 'other' },
    pods: [withPort('a', { containerPort: 80, hostPort: 8080 })],
  };
  const wanted = (pod: object) => ({ bundle: SHOP, pods: [pod] });
  const rows: [string, object, boolean][] = [
    [
      'with the same pod name conflict (S53)',
      { metadata: { name: 'a', namespace: 'default' } },
      true,
    ],
    [
      'with the same name in other namespaces do not',
      { metadata: { name: 'a', namespace: 'x' } },
      false,
    ],
    ['with the same host port conflict', withPort('b', { containerPort: 1, hostPort: 8080 }), true],
    [
      'with the same port of another protocol do not',
      withPort('b', { containerPort: 1, hostPort: 8080, protocol: 'UDP' }),
      false,
    ],
    ['with the same container port only do not', withPort('b', { containerPort: 80 }), false],
    [
      'on the host network the container port counts',
      withPort('b', { containerPort: 8080 }, true),
      true,
    ],
    [
      'on one address and on all conflict',
      withPort('b', { containerPort: 1, hostPort: 8080, hostIP: '127.0.0.1' }),
      true,
    ],
  ];
  for (const [sentence, pod, conflict] of rows) {
    test(sentence, () => assert.equal(conflictWith(wanted(pod), [running]) !== null, conflict));
  }

  test('the former revision of the same bundle is no obstacle', () => {
    assert.equal(conflictWith({ ...running }, [running]), null);
  });
});

describe('a blob', () => {
  const content = Buffer.from('{"a":"'.padEnd(2000, 'x') + '"}');
  const name = { digest: sha256Hex(content), size: content.length };
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
  const rows: [string, Buffer, string][] = [
    ['as it is', content, 'accepted'],
    ['packed with gzip', gzipSync(content), 'accepted'],
    ['packed with brotli', brotliCompressSync(content), 'accepted'],
    ['that is other content', Buffer.from('other'), 'MixMatch'],
    ['that unpacks to more (S41)', bomb, 'MixMatch'],
    ['that is too large', Buffer.alloc(121 * 1024), 'TooLarge'],
    ['that is empty', Buffer.alloc(0), 'MixMatch'],
  ];
  for (const [sentence, bytes, code] of rows) {
    test(`${sentence}: ${code}`, () => assert.equal(codeOf(unpackBlob(bytes, name)), code));
  }
});

describe('packets on the socket', () => {
  const packet = (length: number[], body: number) => [
    0x30,
    ...length,
    ...Array<number>(body).fill(0),
  ];
  const rows: [string, number[], boolean][] = [
    ['a small one passes', packet([5], 5), true],
    ['one at the limit passes', packet([0x80 | 100, 0], 100), true],
    ['one above the limit is stopped at its header', [0x30, 0x80 | 101, 0], false],
    [
      'several pass, whatever their lengths',
      [...packet([0], 0), ...packet([3], 3), ...packet([100], 100)],
      true,
    ],
    ['a length of five bytes is no header', [0x30, 0x80, 0x80, 0x80, 0x80, 1], false],
  ];
  for (const [sentence, bytes, accepted] of rows) {
    test(`${sentence}, in one piece and byte by byte`, () => {
      assert.equal(new PacketGuard(100).admits(Buffer.from(bytes)), accepted);
      const guard = new PacketGuard(100);
      assert.equal(
        bytes.every(byte => guard.admits(Buffer.from([byte]))),
        accepted,
      );
    });
  }
});

test('a refused content is said once a minute, and a flood of them a hundred times', () => {
  const logged = new Map<string, number>();
  const say = (digest: string, now: number) => {
    const may = mayLogRefusal(logged, digest, now);
    if (may) logged.set(digest, now);
    return may;
  };
  assert.deepEqual([say('a', 0), say('a', 59_999), say('a', 60_000)], [true, false, true]);
  const flood = Array.from({ length: 1000 }, (_, i) => say(`b${i}`, 60_001)).filter(Boolean);
  assert.equal(flood.length, 99);
});
