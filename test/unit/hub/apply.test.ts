/** The way of a bundle into the store, on the real one: outcomes, refusals, races. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { BundleObject } from '../../../hub/objects.js';
import { HELD_ANNOTATION } from '../../../hub/recovery/held-annotation.js';
import { RequestError, type ApplyRequest, type RequestReason } from '../../../hub/ports.js';
import { bundleWriter, type ApplyParts } from '../../../hub/rollout/apply.js';
import { bundleDocumentOf } from '../../../hub/rollout/revision-document.js';
import type { Actor, Store } from '../../../hub/store/store.js';
import type { BundleManifest } from '../../../protocol/bundle-manifest.js';
import type { RootDocument } from '../../../protocol/documents/root.js';
import { DEFAULT_GRANT } from '../../../protocol/release-scope.js';
import { REAL_CLOCK } from '../../support/clock.js';
import {
  idOf,
  RELEASE,
  rootDocument,
  ROOT,
  signer,
  trustedRoot,
  releaseRole,
} from '../../support/fleet.js';
import { eachOnFreshStore } from '../../support/fresh-store.js';
import { enrolled, memberRecord } from '../../support/member.js';

const OTHER = signer('another release');
const ADMIN: Actor = { kind: 'user', name: 'admin' };

function pod(name: string, change: Record<string, unknown> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'main', image: 'web:1' }] },
    ...change,
  };
}

function request(
  manifests: readonly BundleManifest[],
  change: Partial<ApplyRequest> = {},
): ApplyRequest {
  return {
    namespace: 'default',
    name: 'shop',
    labels: {},
    annotations: {},
    spec: { nodeSelector: '', manifests },
    expect: 'any',
    dryRun: false,
    ...change,
  };
}

function refusal(reason: RequestReason, ...fields: string[]) {
  return (error: unknown) => {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.deepEqual(
      error.causes.map(({ field }) => field),
      fields,
    );
    return true;
  };
}

describe('apply', () => {
  let store: Store;
  const parts = (
    root: Partial<RootDocument> = {},
    change: Partial<ApplyParts> = {},
  ): ApplyParts => ({
    store,
    root: () => trustedRoot(rootDocument(root), [ROOT]),
    releaseSigner: RELEASE,
    clock: REAL_CLOCK,
    ...change,
  });
  const apply = (asked: ApplyRequest, from = parts()) => bundleWriter(from).apply(ADMIN, asked);

  eachOnFreshStore(fresh => (store = fresh));

  test('a ConfigMap takes the bundle’s namespace; a change of it is the next revision', async () => {
    const map = (value: string) => ({
      apiVersion: 'v1' as const,
      kind: 'ConfigMap' as const,
      metadata: { name: 'web' },
      data: { key: value },
    });
    const first = await apply(request([map('a'), pod('web')]));
    assert.deepEqual(
      first.object.spec.manifests.map(one => `${one.kind} ${one.metadata?.namespace}`),
      ['Pod default', 'ConfigMap default'],
    );
    assert.equal((await apply(request([pod('web'), map('a')]))).outcome, 'unchanged');
    const second = await apply(request([pod('web'), map('b')]));
    assert.deepEqual([second.outcome, second.object.status.revision], ['configured', 2]);
    await assert.rejects(
      apply(request([pod('web'), map('a'), map('b')])),
      refusal('Invalid', 'spec.manifests[2].metadata.name'),
    );
  });

  test('S95: pinned images make a revision of unchanged manifests, and must be the manifests’ own', async () => {
    const pinned = (image: string, digit: string) => {
      const images = [{ image, digests: [`sha256:${digit.repeat(64)}`] }];
      return request([], { spec: { nodeSelector: '', manifests: [pod('web')], images } });
    };
    const revisions: [string, number][] = [];
    for (const one of [pinned('web:1', 'a'), pinned('web:1', 'a'), pinned('web:1', 'b')]) {
      const { outcome, object } = await apply(one);
      revisions.push([outcome, object.status.revision]);
    }
    const loose = await apply(request([pod('web')]));
    revisions.push([loose.outcome, loose.object.status.revision]);
    assert.equal(loose.object.spec.images, undefined);
    assert.deepEqual(revisions, [
      ['created', 1],
      ['unchanged', 1],
      ['configured', 2],
      ['configured', 3],
    ]);
    const foreign = refusal('Invalid', 'spec.images[0].image');
    await assert.rejects(apply(pinned('db:1', 'a')), foreign);
  });

  test('a Secret is refused, with the way that there is today', async () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: {} };
    await assert.rejects(
      apply(request([pod('web'), secret as unknown as BundleManifest])),
      (error: unknown) => {
        assert.ok(refusal('Invalid', 'spec.manifests[1].kind')(error));
        assert.match(String(error), /a bundle can be read at the hub.*flotilla secret seal/);
        return true;
      },
    );
  });

  test('makes a bundle, then nothing while nothing changes, then the next revision', async () => {
    const first = await apply(request([pod('web')]));
    assert.deepEqual([first.outcome, first.object.status.revision], ['created', 1]);
    const published = await store.lastPublication();
    const again = await apply(request([pod('web')]));
    assert.equal(again.outcome, 'unchanged');
    assert.deepEqual(again.object, first.object);
    assert.equal(await store.lastPublication(), published);
    const next = await apply(request([pod('web'), pod('db')]));
    assert.deepEqual([next.outcome, next.object.status.revision], ['configured', 2]);
    assert.notEqual(next.object.status.digest, first.object.status.digest);
  });

  test('of a bundle that a restore held releases it, though the client sends back what it read', async () => {
    const { object } = await apply(request([pod('web')]));
    const { kind, metadata, spec, status } = object;
    const annotations = { team: 'shop', [HELD_ANNOTATION]: '2026-08-01T12:00:00.000Z' };
    const held = { kind, metadata: { ...metadata, annotations }, spec, status };
    await store.commit(ADMIN, [{ type: 'put', object: held, expect: 'any' }]);
    const again = await apply(request([pod('web')], { annotations }));
    assert.deepEqual(again.object.metadata.annotations, { team: 'shop' });
    assert.equal(again.object.status.revision, 1);
  });

  test('of another selector alone makes no revision', async () => {
    const { object } = await apply(request([pod('web')]));
    const spec = { nodeSelector: 'a=b', manifests: [pod('web')] };
    const next = await apply(request([], { spec }));
    assert.equal(next.outcome, 'configured');
    assert.deepEqual(next.object.status, object.status);
  });

  test('puts pods without a namespace into the bundle’s, sorted by name', async () => {
    const manifests = [pod('web'), pod('db', { metadata: { name: 'db', namespace: '' } })];
    const { object } = await apply(request(manifests, { namespace: 'shop' }));
    const names = object.spec.manifests.map(({ metadata }) => [
      metadata?.namespace,
      metadata?.name,
    ]);
    assert.deepEqual(names, [
      ['shop', 'db'],
      ['shop', 'web'],
    ]);
  });

  test('goes on counting where a deleted bundle of that name ended', async () => {
    await apply(request([pod('web')]));
    const bundles = bundleWriter(parts());
    await bundles.remove(ADMIN, { namespace: 'default', name: 'shop', dryRun: true });
    assert.ok(await store.get('Bundle', 'default', 'shop'));
    await bundles.remove(ADMIN, { namespace: 'default', name: 'shop', dryRun: false });
    const { object, outcome } = await apply(request([pod('web')]));
    assert.deepEqual([outcome, object.status.revision], ['created', 2]);
  });

  test('begins above the floor that the root sets', async () => {
    const { object } = await apply(request([pod('web')]), parts({ floors: { 'default/shop': 7 } }));
    assert.equal(object.status.revision, 7);
  });

  test('run dry says what it would do and writes nothing', async () => {
    const made = await apply(request([pod('web')], { dryRun: true }));
    assert.deepEqual([made.outcome, made.object.status.revision], ['created', 1]);
    assert.equal(await store.get('Bundle', 'default', 'shop'), null);
    assert.equal(await store.lastPublication(), 0);
    await apply(request([pod('web')]));
    const outcomes: [string, Partial<ApplyRequest>][] = [
      ['unchanged', {}],
      ['configured', { labels: { a: 'b' } }],
      ['configured', { spec: { nodeSelector: 'a', manifests: [pod('web')] } }],
      ['configured', { spec: { nodeSelector: '', manifests: [] } }],
    ];
    for (const [expected, change] of outcomes) {
      const { outcome } = await apply(request([pod('web')], { ...change, dryRun: true }));
      assert.equal(outcome, expected, JSON.stringify(change));
    }
  });

  test('signs what a node can read back', async () => {
    await apply(request([pod('web')]));
    const record = await store.revision('default', 'shop', 1);
    assert.ok(record);
    const [entry] = bundleDocumentOf(record).manifests;
    const blob = await store.blob(entry?.digest ?? '');
    assert.equal(blob?.content.byteLength, entry?.size);
  });

  const at = 'spec.manifests[0]';
  const INVALID: readonly [string, readonly unknown[], readonly string[]][] = [
    ['another kind', [{ apiVersion: 'apps/v1', kind: 'Deployment' }], [`${at}.kind`]],
    ['kind Secret', [{ apiVersion: 'v1', kind: 'Secret' }], [`${at}.kind`]],
    ['something that is no object', [7], [at]],
    ['an unknown field', [pod('web', { surprise: 1 })], [`${at}.surprise`]],
    [
      'another namespace',
      [pod('web', { metadata: { name: 'web', namespace: 'other' } })],
      [`${at}.metadata.namespace`],
    ],
    ['one name twice', [pod('web'), pod('web')], ['spec.manifests[1].metadata.name']],
  ];
  for (const [sentence, manifests, fields] of INVALID) {
    test(`refuses ${sentence}, and says where`, async () => {
      const asked = request(manifests as Pod[]);
      await assert.rejects(apply(asked), refusal('Invalid', ...fields));
      assert.equal(await store.get('Bundle', 'default', 'shop'), null);
    });
  }

  test('names everything that is wrong at once', async () => {
    const spec = { nodeSelector: 'a in', manifests: [pod('web', { x: 1 }), pod('db', { y: 1 })] };
    await assert.rejects(
      apply(request([], { spec })),
      refusal('Invalid', 'spec.nodeSelector', `${at}.x`, 'spec.manifests[1].y'),
    );
  });

  test('refuses more pods than the root allows, and content that is too large', async () => {
    const limits = { podsPerBundle: 1 };
    const two = request([pod('web'), pod('db')]);
    await assert.rejects(apply(two, parts({ limits })), refusal('Invalid', 'spec.manifests'));
    const args = ['x'.repeat(1024 * 1024)];
    const large = pod('web', { spec: { containers: [{ name: 'main', image: 'web:1', args }] } });
    await assert.rejects(apply(request([large])), /pod web is \d+ bytes/);
  });

  const withRelease = (release: RootDocument['roles']['release']) => {
    const { keys, roles } = rootDocument();
    return parts({
      keys: { ...keys, [idOf(OTHER)]: OTHER.publicKey },
      roles: { ...roles, release },
    });
  };
  const ROLES: readonly [string, () => ApplyParts][] = [
    ['without a release key', () => parts({}, { releaseSigner: null })],
    [
      'when the role needs two signatures',
      () => {
        return withRelease([releaseRole([RELEASE, OTHER], { threshold: 2 })]);
      },
    ],
    [
      'when another role answers for the bundle',
      () => {
        return withRelease([
          releaseRole([OTHER], { bundles: ['default/*'] }),
          releaseRole([RELEASE]),
        ]);
      },
    ],
    [
      'when no role answers for it',
      () => {
        return withRelease([releaseRole([RELEASE], { bundles: ['other/*'] })]);
      },
    ],
  ];
  for (const [sentence, from] of ROLES) {
    test(`is refused ${sentence}: nodes would refuse it`, async () => {
      await assert.rejects(
        apply(request([pod('web')]), from()),
        refusal('Forbidden', 'signatures'),
      );
      assert.equal((await store.revisions('default', 'shop')).length, 0);
    });
  }

  test('of a pod beyond the scope of the hub’s key is refused with rule and field', async () => {
    const spy = pod('spy');
    const asked = request([
      pod('web'),
      { ...spy, spec: { containers: [], ...spy.spec, hostPID: true } },
    ]);
    await assert.rejects(apply(asked), (error: Error) => {
      assert.match(
        error.message,
        /pod "spy" is beyond the scope of the release keys in the root: violates PodSecurity "baseline:latest": .*spec\.hostPID/,
      );
      return refusal('Invalid', 'spec.manifests')(error);
    });
    const scopes = [
      {
        threshold: 2,
        keys: [idOf(RELEASE), idOf(OTHER)],
        ...DEFAULT_GRANT,
        podSecurity: 'privileged' as const,
      },
      { threshold: 1, keys: [idOf(RELEASE)], ...DEFAULT_GRANT },
    ];
    const wider = withRelease([releaseRole([RELEASE, OTHER], { scopes })]);
    await assert.rejects(apply(asked, wider), refusal('Invalid', 'spec.manifests'));
    const alone = scopes.map(scope => ({ ...scope, threshold: 1 }));
    await apply(asked, withRelease([releaseRole([RELEASE, OTHER], { scopes: alone })]));
  });

  test('reaches the nodes that its key may reach, and is refused beyond with their number', async () => {
    const all = ['a', 'b', 'c'].flatMap(name =>
      enrolled(memberRecord(name, { labels: { site: name === 'c' ? 'lake' : 'sea' } })),
    );
    await store.commit(ADMIN, all);
    const scopes = [
      {
        ...{ threshold: 1, keys: [idOf(RELEASE)], ...DEFAULT_GRANT },
        ...{ maxNodes: 2, nodeLabels: { site: 'sea' } },
      },
    ];
    const { roles } = rootDocument();
    const limited = parts({ roles: { ...roles, release: [releaseRole([RELEASE], { scopes })] } });
    const to = (nodeSelector: string) =>
      apply(request([pod('web')], { spec: { nodeSelector, manifests: [pod('web')] } }), limited);
    await assert.rejects(to(''), (error: Error) => {
      assert.match(error.message, /would reach 3 nodes, .* at most 2/);
      return refusal('Forbidden')(error);
    });
    await assert.rejects(to('site=lake'), /1 of the 1 nodes .*\(c\): .*enrolled with site=sea/);
    assert.equal((await to('site=sea')).outcome, 'created');
    await assert.rejects(to(''), /3 nodes/, 'the same content for more nodes');
  });

  test('keeps what the caller expects', async () => {
    const missing = request([pod('web')], { expect: { resourceVersion: '1' } });
    await assert.rejects(apply(missing), refusal('NotFound'));
    const { object } = await apply(request([pod('web')], { expect: 'absent' }));
    await assert.rejects(
      apply(request([pod('web')], { expect: 'absent' })),
      refusal('AlreadyExists'),
    );
    const { resourceVersion } = object.metadata;
    await apply(request([pod('db')], { expect: { resourceVersion } }));
    await assert.rejects(
      apply(request([pod('web')], { expect: { resourceVersion } })),
      refusal('Conflict'),
    );
    const bundles = bundleWriter(parts());
    const gone = { namespace: 'default', name: 'other', dryRun: false };
    await assert.rejects(bundles.remove(ADMIN, gone), refusal('NotFound'));
  });

  test('that races with others and names no version gets through', async () => {
    const all = Array.from({ length: 5 }, (_, i) => apply(request([pod(`web-${i}`)])));
    const revisions = (await Promise.all(all)).map(({ object }) => object.status.revision);
    assert.deepEqual(
      revisions.sort((a, b) => a - b),
      [1, 2, 3, 4, 5],
    );
    const last = (await store.get('Bundle', 'default', 'shop')) as BundleObject;
    assert.equal(last.status.revision, 5);
  });
});
