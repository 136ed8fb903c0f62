/** What a bundle may do here: the scope of the keys that signed it, the node's own policy, and what the root says later. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { ReleaseScope } from '../../../protocol/documents/root.js';
import { seal } from '../../../protocol/envelope.js';
import { DEFAULT_GRANT } from '../../../protocol/release-scope.js';
import { openBundle } from '../../../protocol/verify-bundle.js';
import {
  assigned,
  bundleDocument,
  idOf,
  podManifest,
  RELEASE,
  releaseRole,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';
import { made, StageWorld } from '../../support/stage-world.js';

let world: StageWorld;

beforeEach(() => {
  world = new StageWorld();
});
afterEach(() => world.close());

describe('a bundle', () => {
  const spying = () => {
    const spy = podManifest('spy');
    const pods = [{ ...spy, spec: { ...(spy['spec'] as object), hostPID: true } }];
    const document = bundleDocument(pods);
    world.store(document, pods);
    return document;
  };
  const rootWith = (podSecurity: ReleaseScope['podSecurity'], version: number) => {
    const scopes = [{ threshold: 1, keys: [idOf(RELEASE)], ...DEFAULT_GRANT, podSecurity }];
    const { roles } = rootDocument();
    return rootDocument({
      version,
      roles: { ...roles, release: [releaseRole([RELEASE], { scopes })] },
    });
  };

  test('row 163: that the node’s policy refuses fails with rule and field; its former revision stays', () => {
    world.activate('shop', 'web');
    const before = world.files();
    const pods = [
      podManifest('ok'),
      {
        ...podManifest('bad'),
        spec: {
          containers: [{ name: 'app', image: 'x:1', ports: [{ containerPort: 80, hostPort: 80 }] }],
        },
      },
    ];
    const document = bundleDocument(pods, { revision: 2 });
    world.store(document, pods);
    world.assign([document], rootWith('privileged', 2));
    assert.deepEqual(world.states(), ['shop failed Policy']);
    assert.equal(
      world.journal.bundles()[0]?.message,
      'pod bad: PodSecurity: violates PodSecurity "baseline:latest": hostPort (container "app" ' +
        'uses hostPort 80) [rule hostPorts, field spec.containers[0].ports[0].hostPort]',
    );
    assert.deepEqual(world.files(), before);
    assert.equal(world.journal.events(0, 10)[0]?.reason, 'BundleFailed');
  });

  test('row 163: beyond the scope of its key fails, whatever the node’s owner allows, until a root widens it', () => {
    world.stage = world.makeStage({ refuses: () => null });
    world.assign([spying()]);
    assert.deepEqual(world.states(), ['shop failed OutOfScope']);
    assert.match(
      world.journal.bundles()[0]?.message ?? '',
      /^pod spy: beyond the scope of the release keys in the root: violates PodSecurity "baseline:latest": .*spec\.hostPID\]$/,
    );
    assert.deepEqual(world.files(), []);
    world.pass(rootWith('privileged', 2));
    assert.deepEqual(world.states(), ['shop activating FilesWritten']);
  });

  test('a release key that holds on labelled nodes holds where the enrolment says so, and nowhere else', () => {
    const { roles } = rootDocument();
    const scopes = [
      { threshold: 1, keys: [idOf(RELEASE)], ...DEFAULT_GRANT, nodeLabels: { site: 'harbour' } },
    ];
    const root = rootDocument({
      roles: { ...roles, release: [releaseRole([RELEASE], { scopes })] },
    });
    const pods = [podManifest('web')];
    const document = bundleDocument(pods);
    world.store(document, pods);
    world.stage = world.makeStage({ enrolledLabels: { site: 'lake' } });
    world.assign([document], root);
    assert.deepEqual(world.states(), ['shop failed OutOfScope']);
    assert.equal(
      world.journal.bundles()[0]?.message,
      'the release keys that signed it hold on nodes enrolled with site=harbour; ' +
        'this node enrolled with site=lake',
    );
    world.stage = world.makeStage({ enrolledLabels: { site: 'harbour', stage: 'test' } });
    world.pass(root);
    assert.deepEqual(world.states(), ['shop activating FilesWritten']);
  });

  test('row 163: within the scope of its key is still held to what the node’s owner allows', () => {
    const document = spying();
    world.assign([document], rootWith('privileged', 2));
    assert.deepEqual(world.states(), ['shop failed Policy']);
  });

  test('that runs is not judged again by a root that narrows the scope', () => {
    world.stage = world.makeStage({ refuses: () => null });
    const document = spying();
    world.assign([document], rootWith('privileged', 2));
    const before = world.files();
    world.stage = world.makeStage({ refuses: () => null });
    world.pass(rootWith('restricted', 3));
    assert.deepEqual(world.states(), ['shop activating FilesWritten']);
    assert.deepEqual(world.files(), before);
  });

  test('that a key signed which the root names no more does not begin before it is signed anew', () => {
    const other = signer('release 2');
    const { keys, roles } = rootDocument();
    const root = rootDocument({
      version: 2,
      keys: { ...keys, [idOf(other)]: other.publicKey },
      roles: { ...roles, release: [releaseRole([other])] },
    });
    const bundle = made('shop', 'web');
    world.store(bundle.document, bundle.pods);
    const lacking = world.assign([bundle.document], root);
    const { digest } = assigned(bundle.document);
    assert.deepEqual(
      lacking.map(one => [one.digest, one.envelopeOf?.name]),
      [[digest, 'shop']],
    );
    assert.deepEqual([world.states(), world.files()], [['shop staged Fetching'], []]);

    const context = {
      root: { ...trustedRoot(), document: root },
      assigned: assigned(bundle.document),
    };
    const envelope = seal('bundle', bundle.document, [RELEASE, other]);
    const opened = openBundle(envelope, { ...context, arch: 'amd64', agentVersion: '0.1.0' });
    assert.ok(opened.ok);
    world.journal.content.storeBundle(opened.value);
    assert.deepEqual(world.pass(root), []);
    assert.equal(world.files().length, 1);
  });

  test('that the root denies later runs on, visibly, and is not applied anew (S19)', () => {
    const { document } = world.activate('shop', 'web');
    const { digest } = assigned(document);
    const root = rootDocument({ denied: [digest] });
    assert.deepEqual(
      world.stage.conditions(root).map(({ type }) => type),
      ['RevokedRunning'],
    );
    world.assign([], root);
    assert.deepEqual(world.files(), []);
    world.pass(root);
    assert.equal(world.stage.conditions(root).length, 0);
  });
});
