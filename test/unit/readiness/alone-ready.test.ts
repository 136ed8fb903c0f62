/** Whether a node says truly that it could start alone: one thing is taken away at a time. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { PodReport } from '../../../agent/ports.js';
import { made, type Made } from '../../support/activation-world.js';
import { bundleDocument, podManifest } from '../../support/fleet.js';
import {
  again,
  alone,
  anotherNode,
  asked,
  given,
  healthy,
  images,
  inJournal,
  it,
  readiness,
  readinessWorld,
  SHOP,
} from './world.js';

readinessWorld();

/** With a policy of its own, which `made` does not give. */
function pulling(imagePullPolicy: string, image = 'shop:1'): Made {
  const pod = podManifest('shop', image);
  const [container] = (pod['spec'] as { containers: object[] }).containers;
  const pods = [
    {
      ...pod,
      spec: { ...(pod['spec'] as object), containers: [{ ...container, imagePullPolicy }] },
    },
  ];
  return { document: bundleDocument(pods, { name: 'shop', revision: 1 }), pods };
}

const ownFile = () =>
  join(it.manifests, readdirSync(it.manifests).find(name => name.startsWith('flotilla_')) ?? '');

describe('alone-ready', () => {
  test('before the first look nobody knows', () => {
    assert.deepEqual(
      readiness.conditions().map(({ type, status, reason }) => [type, status, reason]),
      [
        ['AloneReady', 'Unknown', 'NotLookedYet'],
        ['UndoReady', 'Unknown', 'NotLookedYet'],
      ],
    );
    assert.equal(readiness.aloneFault(SHOP, 'x')?.reason, 'NotLookedYet');
  });

  test('all of it is there', async () => {
    healthy(made('shop', 1, { pods: ['web', 'db'] }), made('till', 1));
    assert.equal(
      await alone(),
      'True Complete: 3 pods of 2 bundles would start without network, clock and hub',
    );
    const { active } = it.status('shop');
    assert.equal(readiness.aloneFault(SHOP, active ?? ''), null);
  });

  test('a node without bundles has nothing that could be missing', async () => {
    assert.match(await alone(), /^True Complete: 0 pods of 0 bundles/);
  });

  const rows: readonly [string, () => void, RegExp][] = [
    [
      'an image went',
      () => images.delete('shop:1'),
      /^False ImageMissing: pod default\/shop, image "shop:1": it is not on the engine$/,
    ],
    [
      'a blob went from the journal, and the file lies there',
      () => inJournal('DELETE FROM blobs'),
      /^False ContentMissing: bundle default\/shop revision 1: not all of its content is in the journal; a file of it that goes would not come back$/,
    ],
    [
      'a blob does not read back',
      () => inJournal("UPDATE blobs SET bytes = x'00'"),
      /^False ContentMissing: /,
    ],
    [
      'the signed document went',
      () => inJournal('UPDATE revisions SET envelope = NULL'),
      /^False ContentMissing: bundle default\/shop: the signed document of revision 1 is not kept here; the hub is asked for it$/,
    ],
    [
      'the signed document does not read back',
      () => inJournal("UPDATE revisions SET envelope = x'00'"),
      /^False ContentMissing: bundle default\/shop: the signed document/,
    ],
    [
      'a file went, and nothing can be written',
      () => {
        rmSync(ownFile());
        given.writeFault = 'the directory is read-only';
      },
      /^False FileMissing: bundle default\/shop, pod shop: flotilla_.*\.json is not as it should be, and the directory is read-only$/,
    ],
    [
      'a person removed a file where that is left so',
      () => {
        rmSync(ownFile());
        again({ leavesDrift: true });
      },
      /^False FileMissing: bundle default\/shop, pod shop: flotilla_.*\.json was removed by hand and stays so \(drift: report\)$/,
    ],
    [
      'the directory went',
      () => rmSync(it.manifests, { recursive: true }),
      /^False DirectoryUnavailable: /,
    ],
    [
      'something of the node as a whole',
      () => (given.fault = { reason: 'IdentityUnreadable', message: 'identity.key: not a key' }),
      /^False IdentityUnreadable: identity.key: not a key$/,
    ],
    [
      'the engine has no room',
      () => (given.freeBytes = 1024),
      /^False NoSpace: the engine's file system \(\/engine\) has 1 KiB left/,
    ],
    [
      'the engine does not answer',
      () => (given.isEngineUp = false),
      /^Unknown EngineUnavailable: no engine answers$/,
    ],
  ];
  for (const [sentence, happens, expected] of rows) {
    test(`${sentence}: the condition says so, and so does the gate`, async () => {
      healthy(made('shop', 1));
      const active = it.status('shop').active ?? '';
      assert.match(await alone(), /^True /);
      happens();
      assert.match(await alone(), expected);
      assert.notEqual(readiness.aloneFault(SHOP, active), null);
    });
  }

  test('a file that went is no reason: it comes back from the journal', async () => {
    healthy(made('shop', 1));
    rmSync(ownFile());
    assert.match(await alone(), /^True /);
  });

  test('a directory that others may write to is no reason: nothing is read from it', async () => {
    healthy(made('shop', 1));
    chmodSync(it.manifests, 0o777);
    assert.match(await alone(), /^True /);
  });

  test('imagePullPolicy Always asks the registry at a start; what is bound to a digest does not', async () => {
    healthy(pulling('Always'));
    assert.match(
      await alone(),
      /^False PullPolicyAlways: pod default\/shop, image "shop:1": imagePullPolicy Always/,
    );
    const { document, pods } = pulling('Always');
    const digest = `sha256:${'a'.repeat(64)}`;
    const bound = { ...document, revision: 2, images: [{ image: 'shop:1', digests: [digest] }] };
    healthy({ document: bound, pods });
    assert.match(
      await alone(),
      /^False ImageMissing: .* in the content that the bundle binds it to$/,
    );
    again({
      images: {
        imageStatus: image =>
          Promise.resolve(image === digest ? { id: digest, repoDigests: [], user: '' } : null),
        imageFilesystem: () => Promise.resolve({ path: '/', totalBytes: 1e9, availableBytes: 1e9 }),
      },
    });
    assert.match(await alone(), /^True /);
  });

  test('a name without a tag is Always too, unless it says otherwise', async () => {
    images.add('web');
    const pods = [podManifest('shop', 'web')];
    healthy({ pods, document: bundleDocument(pods, { name: 'shop', revision: 1 }) });
    assert.match(await alone(), /^False PullPolicyAlways: .*image "web"/);
  });

  test('Never and IfNotPresent are the same without a registry', async () => {
    healthy(pulling('Never'));
    assert.match(await alone(), /^True /);
    images.delete('shop:1');
    assert.match(await alone(), /^False ImageMissing/);
  });

  test('a Secret that the keys on the disk do not open', async () => {
    const pods = [podManifest('shop', 'shop:1')];
    const document = bundleDocument(pods, { name: 'shop', revision: 1, secrets: ['db'] });
    let why: string | null = null;
    // Staging has its own look at Secrets: here it lies in the directory.
    anotherNode({ hasLocalSecret: () => true });
    healthy({ document, pods });
    again({ secrets: { startFault: () => why } });
    assert.match(await alone(), /^True /);
    why = 'does not open with the keys on the disk';
    assert.equal(
      await alone(),
      'False SecretUnreadable: bundle default/shop revision 1, secret "db" does not open with the keys on the disk',
    );
    again({ secrets: { startFault: () => why }, hasLocalSecret: () => true });
    assert.match(await alone(), /^True /, 'a person put one of that name beside the pods');
    again();
    assert.match(await alone(), /^False SecretUnreadable: .* is not kept here$/);
  });

  test('pods of a person count; those that ended for good do not', async () => {
    const report = (name: string, image: string, phase: string): PodReport => ({
      ...{ key: `default/${name}`, source: 'file', bundle: null, manifestDigest: null },
      pod: {
        metadata: { name, namespace: 'default', uid: name },
        spec: { containers: [{ name: 'main', image }] },
        status: { phase },
      },
    });
    given.reports = [report('hand', 'gone:1', 'Succeeded'), report('other', 'web:1', 'Running')];
    assert.match(
      await alone(),
      /^True Complete: 0 pods of 0 bundles and 1 of this node's own would/,
    );
    healthy(made('shop', 1, { pods: ['web', 'db'] }), made('till', 1));
    const both = /^True Complete: 3 pods of 2 bundles and 1 of this node's own would start/;
    assert.match(await alone(), both);
    given.reports = [report('hand', 'gone:1', 'Running')];
    assert.match(await alone(), /^False ImageMissing: pod default\/hand, image "gone:1"/);
  });

  test('a job of a bundle that is done needs its image no more', async () => {
    healthy(made('shop', 1));
    images.delete('shop:1');
    const manifest = it.journal.files().values().next().value?.manifest ?? '';
    const pod = { metadata: { name: 'shop' }, status: { phase: 'Succeeded' } };
    given.reports = [
      { key: 'default/shop', source: 'bundle', bundle: SHOP, manifestDigest: manifest, pod },
    ];
    assert.match(await alone(), /^True /);
  });

  test('what another bundle lacks is not held against this one', async () => {
    healthy(made('shop', 1), made('till', 1));
    images.delete('till:1');
    assert.match(await alone(), /^False ImageMissing: .*"till:1"/);
    assert.equal(readiness.aloneFault(SHOP, it.status('shop').active ?? ''), null);
  });

  test('where a kubelet runs the pods nobody here knows of images, but of all else', async () => {
    healthy(made('shop', 1));
    again({ images: undefined, runtimeNone: true });
    assert.match(await alone(), /^Unknown RuntimeNone: /);
    inJournal('DELETE FROM blobs');
    assert.match(await alone(), /^False ContentMissing/);
    assert.deepEqual(asked, []);
  });
});
