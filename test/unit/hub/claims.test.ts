/** What two bundles cannot both have on one node: found at apply, with nodes and both bundles; what was there before is no reason to refuse. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BundleObject } from '../../../hub/objects.js';
import { RequestError } from '../../../hub/ports.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import {
  clashesBetween,
  conflictsOf,
  conflictText,
  laterConflicts,
  newConflicts,
  type Claimant,
} from '../../../hub/rollout/claims.js';
import { conflictWarnings } from '../../../hub/rollout/conflict-check.js';
import type { Actor, Store } from '../../../hub/store/store.js';
import type { BundleManifest } from '../../../protocol/bundle-manifest.js';
import { DEFAULT_GRANT } from '../../../protocol/release-scope.js';
import { REAL_CLOCK } from '../../support/clock.js';
import {
  idOf,
  RELEASE,
  releaseRole,
  ROOT,
  rootDocument,
  trustedRoot,
} from '../../support/fleet.js';
import { eachOnFreshStore } from '../../support/fresh-store.js';
import { enrolled, memberRecord } from '../../support/member.js';

const ADMIN: Actor = { kind: 'user', name: 'admin' };

interface Port {
  readonly containerPort: number;
  readonly hostPort?: number;
  readonly hostIP?: string;
  readonly protocol?: string;
}

function pod(name: string, ports: readonly Port[] = [], hostNetwork = false): BundleManifest {
  const containers = [{ name: 'main', image: 'web:1', ports: [...ports] }];
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
    spec: { containers, ...(hostNetwork ? { hostNetwork } : {}) },
  };
}

function bundle(name: string, manifests: BundleManifest[], change: Partial<Claimant> = {}) {
  return { namespace: 'default', name, nodeSelector: '', manifests, ...change };
}

const host = (hostPort: number, more: Partial<Port> = {}) => ({
  ...{ containerPort: 80, hostPort },
  ...more,
});

describe('two bundles on one node', () => {
  const ROWS: [sentence: string, one: Claimant, other: Claimant, clash: RegExp | null][] = [
    [
      'of one pod name are in conflict',
      bundle('web', [pod('a')]),
      bundle('shop', [pod('b'), pod('a')]),
      /^pod "a" is also one of bundle default\/shop$/,
    ],
    [
      'of one pod name in two namespaces are not',
      bundle('web', [pod('a')]),
      bundle('shop', [pod('a')], { namespace: 'other' }),
      null,
    ],
    [
      'a bundle is not in conflict with itself',
      bundle('web', [pod('a')]),
      bundle('web', [pod('a')]),
      null,
    ],
    [
      'of one host port are',
      bundle('web', [pod('a', [host(8080)])]),
      bundle('shop', [pod('b', [host(8080)])]),
      /^host port 8080\/TCP of pod "a" \(spec\.containers\[0\]\.ports\[0\]\.hostPort\) is also taken by pod "b" of bundle default\/shop$/,
    ],
    [
      'of one host port in two namespaces are',
      bundle('web', [pod('a', [host(8080)])]),
      bundle('shop', [pod('b', [host(8080)])], { namespace: 'other' }),
      /of bundle other\/shop$/,
    ],
    [
      'of one number and two protocols are not',
      bundle('web', [pod('a', [host(53, { protocol: 'UDP' })])]),
      bundle('shop', [pod('b', [host(53)])]),
      null,
    ],
    [
      'of two addresses are not',
      bundle('web', [pod('a', [host(80, { hostIP: '127.0.0.1' })])]),
      bundle('shop', [pod('b', [host(80, { hostIP: '127.0.0.2' })])]),
      null,
    ],
    [
      'of any address and a certain one are',
      bundle('web', [pod('a', [host(80, { hostIP: '0.0.0.0' })])]),
      bundle('shop', [pod('b', [host(80, { hostIP: '127.0.0.2' })])]),
      /is also taken as 127\.0\.0\.2:80\/TCP by/,
    ],
    [
      'of a port in the node’s network and a host port are',
      bundle('web', [pod('a', [{ containerPort: 9100 }], true)]),
      bundle('shop', [pod('b', [host(9100)])]),
      /ports\[0\]\.containerPort\)/,
    ],
    [
      'of one container port in networks of their own are not',
      bundle('web', [pod('a', [{ containerPort: 9100 }])]),
      bundle('shop', [pod('b', [{ containerPort: 9100 }])]),
      null,
    ],
  ];
  for (const [sentence, one, other, clash] of ROWS) {
    test(sentence, () => {
      const texts = clashesBetween(one, other).map(({ text }) => text);
      assert.equal(texts.length, clash === null ? 0 : 1, texts.join());
      if (clash !== null) assert.match(texts[0] ?? '', clash);
    });
  }
});

describe('a conflict of two bundles', () => {
  const web = (nodeSelector: string) => bundle('web', [pod('a')], { nodeSelector });
  const shop = (nodeSelector: string) => bundle('shop', [pod('a')], { nodeSelector });
  const nodes = [
    { name: 'n2', labels: { site: 'quay', tier: 'a' } },
    { name: 'n1', labels: { site: 'quay' } },
    { name: 'n3', labels: { site: 'dock' } },
  ];

  test('is on the nodes that both select', () => {
    const [conflict] = conflictsOf(web('site=quay'), [shop('')], nodes);
    assert.deepEqual(conflict?.nodes, ['n1', 'n2']);
    assert.deepEqual(conflictsOf(web('site=dock'), [shop('tier=a')], nodes), []);
  });

  test('names one node, or the first five', () => {
    const of = (count: number) => ({
      ...{ other: 'default/shop', text: 'this' },
      nodes: Array.from({ length: count }, (_, i) => `n${i + 1}`),
    });
    assert.equal(conflictText(of(1)), 'this, on node n1');
    assert.equal(conflictText(of(7)), 'this, on 7 nodes: n1, n2, n3, n4, n5 and 2 more');
  });

  test('that was there before is not of this apply, on another node it is', () => {
    const was = conflictsOf(web('tier=a'), [shop('')], nodes);
    const is = conflictsOf(web('site=quay'), [shop('')], nodes);
    assert.deepEqual(newConflicts(was, was), []);
    assert.deepEqual(
      newConflicts(is, was).map(one => one.nodes),
      [['n1']],
    );
  });

  test('is to come where one of them selects every node, or both the same, and no node is there', () => {
    const later = (mine: string, theirs: string) =>
      laterConflicts(web(mine), [shop(theirs)], nodes).length;
    assert.equal(later('site=mole', ''), 1);
    assert.equal(later('site=mole', 'site=mole'), 1);
    assert.equal(later('site=mole', 'tier=z'), 0);
    assert.equal(later('site=quay', ''), 0);
  });
});

describe('apply', () => {
  let store: Store;
  const { roles } = rootDocument();
  const scopes = [
    { threshold: 1, keys: [idOf(RELEASE)], ...DEFAULT_GRANT, podSecurity: 'privileged' as const },
  ];
  const release = [releaseRole([RELEASE], { scopes })];
  const root = () => trustedRoot(rootDocument({ roles: { ...roles, release } }), [ROOT]);
  const apply = (of: Claimant, dryRun = false) =>
    bundleWriter({ store, root, releaseSigner: RELEASE, clock: REAL_CLOCK }).apply(ADMIN, {
      ...{ namespace: of.namespace, name: of.name, labels: {}, annotations: {} },
      spec: { nodeSelector: of.nodeSelector, manifests: of.manifests },
      ...{ expect: 'any', dryRun },
    });
  const join1 = (node: string, labels: Record<string, string> = {}) =>
    store.commit(ADMIN, enrolled(memberRecord(node, { labels })));
  const refused = (message: RegExp) => (error: unknown) => {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.reason, 'Invalid');
    assert.match(error.message, message);
    return true;
  };
  const web = bundle('web', [pod('a', [host(80)])]);
  const shop = bundle('shop', [pod('b', [host(80)])]);

  eachOnFreshStore(fresh => (store = fresh));

  test('refuses what another bundle has on some node, in a dry run too', async () => {
    await join1('edge-1');
    await apply(web);
    for (const isDry of [true, false]) {
      await assert.rejects(
        apply(shop, isDry),
        refused(
          /^bundle "shop" conflicts with another: host port 80\/TCP of pod "b" .* pod "a" of bundle default\/web, on node edge-1\. a node runs one of the two: give/,
        ),
      );
    }
    assert.equal(await store.get('Bundle', 'default', 'shop'), null);
    await apply({ ...shop, nodeSelector: 'site=quay' });
  });

  test('refuses other nodes for a bundle as it refuses other ports', async () => {
    await join1('edge-1', { site: 'quay' });
    await apply(web);
    await apply({ ...shop, nodeSelector: 'site=dock' });
    await assert.rejects(apply({ ...shop, nodeSelector: 'site=quay' }), refused(/on node edge-1/));
  });

  test('takes what frees the port, and then the other', async () => {
    await join1('edge-1');
    await apply(web);
    await apply({ ...web, manifests: [pod('a', [host(81)])] });
    await apply(shop);
  });

  test('goes on for bundles that a node which joined later brought together, and warns', async () => {
    await apply({ ...web, nodeSelector: 'tier=a' });
    await apply({ ...shop, nodeSelector: 'site=quay' });
    await join1('edge-1', { tier: 'a', site: 'quay' });
    const more = [...shop.manifests, pod('c')];
    const { object } = await apply({ ...shop, nodeSelector: 'site=quay', manifests: more });
    assert.equal(object.status.revision, 2);
    const [warning] = await conflictWarnings(store, object);
    assert.match(warning ?? '', /on node edge-1: what came there first stays, the other waits/);
    const both = [...more, pod('a')];
    await assert.rejects(
      apply({ ...shop, nodeSelector: 'site=quay', manifests: both }),
      refused(/pod "a" is also one of bundle default\/web, on node edge-1/),
    );
  });

  test('warns where no node is there yet', async () => {
    await apply(web);
    const { object } = await apply(shop);
    const [warning] = await conflictWarnings(store, object);
    assert.match(warning ?? '', /no node is selected by both now, but one may come/);
  });

  test('of a bundle whose rollout was aborted asks for what its nodes have', async () => {
    await join1('edge-1');
    const first = await apply(bundle('web', [pod('a')]));
    const { object } = await apply(web);
    const of = ({ status: { revision, digest } }: BundleObject) => ({ revision, digest, size: 1 });
    const rollout = {
      kind: 'Rollout' as const,
      metadata: { namespace: 'default', name: 'web' },
      spec: { to: of(object), base: of(first.object) },
      status: { phase: 'aborted' },
    };
    await store.commit(ADMIN, [{ type: 'put', object: rollout, expect: 'any' }]);
    await apply(shop);
  });
});
