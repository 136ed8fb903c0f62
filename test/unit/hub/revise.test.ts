/** Revisions: what is signed, what is published, when a bundle is too large. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { randomBytes } from 'node:crypto';
import type { Pod } from 'kubernetes-types/core/v1.js';
import {
  asBlob,
  BundleTooLarge,
  revise,
  sameManifests,
  type ReviseInput,
} from '../../../hub/rollout/revise.js';
import { packed } from '../../../protocol/envelope.js';
import { blobsOf, bundleDocumentOf } from '../../../hub/rollout/revision-document.js';
import type { Mutation } from '../../../hub/store/store.js';
import { unpackBlob } from '../../../agent/intake/blobs.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import { BLOB_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../../protocol/limits.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { topicsOf } from '../../../protocol/topics.js';
import { openBundle } from '../../../protocol/verify-bundle.js';
import { FLEET, RELEASE, trustedRoot } from '../../support/fleet.js';

const topics = topicsOf(FLEET);

function pod(name: string, extra: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...extra },
    spec: { containers: [{ name: 'main', image: 'web:1' }] },
  };
}

/** Bytes that no compression makes smaller. */
function noise(bytes: number): Record<string, string> {
  return { noise: randomBytes(Math.ceil((bytes * 3) / 4)).toString('base64') };
}

function made(change: Partial<ReviseInput> = {}) {
  return revise({
    fleet: FLEET,
    topics,
    namespace: 'default',
    name: 'shop',
    manifests: [pod('web')],
    images: [],
    strategy: DEFAULT_STRATEGY,
    lastRevision: 0,
    lastRollbackFloor: 0,
    issued: '2026-06-01T00:00:00.000Z',
    createdBy: 'admin',
    signer: RELEASE,
    ...change,
  });
}

test('S95: an image that is bound is listed with its digests, a digest in a reference by itself', () => {
  const digests = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];
  const { mutations } = made({ images: [{ image: 'web:1', digests }] });
  assert.deepEqual(bundleDocumentOf(recordOf(mutations)).images, [{ image: 'web:1', digests }]);
});

function recordOf(mutations: readonly Mutation[]) {
  const found = mutations.find(mutation => mutation.type === 'revision');
  assert.ok(found?.type === 'revision');
  return found.record;
}

function published(mutations: readonly Mutation[]): Map<string, Uint8Array> {
  const all = mutations.flatMap((mutation): [string, Uint8Array][] =>
    mutation.type === 'publish' && mutation.payload ? [[mutation.topic, mutation.payload]] : [],
  );
  return new Map(all);
}

describe('a revision', () => {
  test('is a bundle that a node accepts under the name that an assignment gives it', () => {
    const { mutations, revision, digest } = made();
    const { size, envelope } = recordOf(mutations);
    const assigned = { namespace: 'default', name: 'shop', revision, digest, size, attempt: 0 };
    const context = { root: trustedRoot(), assigned, arch: 'amd64', agentVersion: '0.1.0' };
    const opened = openBundle(envelope, context);
    assert.equal(opened.ok, true);
    assert.deepEqual(published(mutations).get(topics.blob(digest)), packed('bundle', envelope));
  });

  test('publishes every blob that it names, so that a node unpacks what was signed', () => {
    const manifests = [pod('web'), pod('large', { annotations: noise(300_000) })];
    const { mutations } = made({ manifests });
    const all = published(mutations);
    const record = recordOf(mutations);
    for (const entry of bundleDocumentOf(record).manifests) {
      const named = entry.parts.length > 0 ? entry.parts : [entry];
      const parts = named.map(name => {
        const unpacked = unpackBlob(all.get(topics.blob(name.digest)) ?? new Uint8Array(), name);
        assert.ok(unpacked.ok, name.digest);
        return unpacked.value;
      });
      const content = Buffer.concat(parts);
      assert.equal(sha256Hex(content), entry.digest);
      const source = manifests.find(manifest => manifest.metadata?.name === entry.name);
      assert.equal(content.toString(), canonicalJson(source));
    }
    assert.deepEqual(new Set(all.keys()), new Set(blobsOf(record).map(d => topics.blob(d))));
  });

  test('names the images of all containers, those of init containers too', () => {
    const web = pod('web');
    const spec = { ...web.spec, initContainers: [{ name: 'first', image: 'init:1' }] };
    const { mutations } = made({ manifests: [{ ...web, spec } as ReturnType<typeof pod>] });
    const { images } = bundleDocumentOf(recordOf(mutations));
    assert.ok(images.some(({ image }) => image === 'init:1'));
    assert.equal(images.length, 2);
  });

  test('travels in parts only when one message cannot hold it', () => {
    const compressible = { annotations: { zeros: '0'.repeat(600_000) } };
    const manifests = [pod('a', compressible), pod('b', { annotations: noise(200_000) })];
    const { mutations } = made({ manifests });
    const [a, b] = bundleDocumentOf(recordOf(mutations)).manifests;
    assert.equal(a?.parts.length, 0);
    assert.ok((b?.parts.length ?? 0) > 1);
    for (const payload of published(mutations).values()) {
      assert.ok(payload.byteLength <= MESSAGE_BYTES_MAX, `${payload.byteLength}`);
    }
  });

  test('is the same bytes for the same input, whatever the order of its pods', () => {
    const one = made({ manifests: [pod('b'), pod('a')] });
    const other = made({ manifests: [pod('a'), pod('b')] });
    assert.deepEqual(one, other);
    const { manifests } = bundleDocumentOf(recordOf(one.mutations));
    assert.deepEqual(
      manifests.map(({ name }) => name),
      ['a', 'b'],
    );
  });

  test('lists ConfigMaps beside its pods, which a node accepts; a pod may have the same name', () => {
    const configMap = {
      apiVersion: 'v1' as const,
      kind: 'ConfigMap' as const,
      metadata: { name: 'web', namespace: 'default' },
      data: { level: '5' },
    };
    const { mutations, revision, digest } = made({ manifests: [configMap, pod('web')] });
    const { size, envelope } = recordOf(mutations);
    const { manifests, images } = bundleDocumentOf(recordOf(mutations));
    assert.deepEqual(
      manifests.map(({ kind, name }) => `${kind} ${name}`),
      ['Pod web', 'ConfigMap web'],
    );
    assert.equal(images.length, 1);
    const assigned = { namespace: 'default', name: 'shop', revision, digest, size, attempt: 0 };
    const context = { root: trustedRoot(), assigned, arch: 'amd64', agentVersion: '0.1.0' };
    assert.ok(openBundle(envelope, context).ok);
    const changed = { ...configMap, data: { level: '6' } };
    assert.equal(sameManifests([configMap], [changed]), false);
  });

  const FLOORS: readonly [string, { last: number; floor: number }, number][] = [
    ['the first may go back to nothing', { last: 0, floor: 0 }, 0],
    ['the eleventh still reaches the first', { last: 10, floor: 0 }, 1],
    ['the floor moves ten revisions behind', { last: 41, floor: 20 }, 32],
    ['a floor that was signed never falls', { last: 41, floor: 40 }, 40],
  ];
  for (const [sentence, { last, floor }, expected] of FLOORS) {
    test(sentence, () => {
      const revised = made({ lastRevision: last, lastRollbackFloor: floor });
      assert.equal(revised.revision, last + 1);
      assert.equal(revised.rollbackFloor, expected);
    });
  }
});

describe('what is too large is refused with a sentence', () => {
  const tiny = (count: number, name = 'pod') =>
    Array.from({ length: count }, (_, i) => pod(`${name}-${i}`));
  const LARGE: readonly [string, readonly Pod[], RegExp][] = [
    [
      'one manifest above a mebibyte',
      [pod('big', { annotations: { text: 'x'.repeat(1024 * 1024) } })],
      /pod big is \d+ bytes, the limit is 1048576/,
    ],
    [
      'all manifests together above eight',
      Array.from({ length: 9 }, (_, i) =>
        pod(`p${i}`, { annotations: { text: `${i}`.repeat(1_000_000) } }),
      ),
      /all manifests together are \d+ bytes/,
    ],
    ['more pods than a bundle may list', tiny(513), /513 manifests, the limit is 512/],
    [
      'a list that one envelope cannot hold',
      tiny(500, 'p'.repeat(60)),
      /the bundle's list of manifests is \d+ bytes/,
    ],
  ];
  for (const [sentence, manifests, message] of LARGE) {
    test(sentence, () => {
      assert.throws(
        () => made({ manifests }),
        (error: unknown) => error instanceof BundleTooLarge && message.test(error.message),
      );
    });
  }
});

describe('the same content', () => {
  const web = pod('web');
  const SAME: readonly [string, readonly Pod[], readonly Pod[], boolean][] = [
    ['is the same in another order', [web, pod('db')], [pod('db'), web], true],
    [
      'is the same with its keys in another order',
      [web],
      [JSON.parse(canonicalJson(web)) as Pod],
      true,
    ],
    ['differs by a label', [web], [pod('web', { labels: { app: 'web' } })], false],
    ['differs by a pod', [web], [web, pod('db')], false],
  ];
  for (const [sentence, a, b, expected] of SAME) {
    test(sentence, () => assert.equal(sameManifests(a, b), expected));
  }
});

test('a blob is compressed only when that is shorter', () => {
  const dense = randomBytes(2000);
  assert.deepEqual(asBlob(dense), dense);
  assert.ok(asBlob(Buffer.alloc(200_000)).byteLength < 1000);
  assert.ok(asBlob(Buffer.from('x')).byteLength <= BLOB_BYTES_MAX);
});
