/**
 * Whether a node says truly that it could start alone and go back: a real journal and real files, an engine that is a list of images, and
 * one thing taken away at a time.
 */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { openOwnedDirectory } from '../../../agent/intake/owned-files.js';
import type { PodReport } from '../../../agent/ports.js';
import type { Fault } from '../../../agent/readiness/faults.js';
import { Readiness, type ReadinessParts } from '../../../agent/readiness/readiness.js';
import { RuntimeError } from '../../../agent/runtime/runtime.js';
import { ActivationWorld, made, type Made } from '../../support/activation-world.js';
import { bundleDocument, podManifest, rootDocument } from '../../support/fleet.js';

const SHOP = { namespace: 'default', name: 'shop' };

let it: ActivationWorld;
let images: Set<string>;
let asked: string[];
let freeBytes: number;
let isEngineUp: boolean;
let fault: Fault | null;
let writeFault: string | null;
let changes: number;
let reports: PodReport[];
let readiness: Readiness;

beforeEach(() => {
  it = new ActivationWorld();
  images = new Set(['shop:1', 'shop:2', 'shop:3', 'web:1', 'till:1']);
  asked = [];
  [freeBytes, isEngineUp, fault, writeFault, changes] = [1e9, true, null, null, 0];
  reports = [];
  readiness = start();
});
afterEach(() => {
  readiness.close();
  it.close();
});

function start(more: Partial<ReadinessParts> = {}): Readiness {
  const quiet = () => undefined;
  const inspect = (image: string) => {
    asked.push(image);
    if (!isEngineUp) throw new RuntimeError('EngineUnavailable', 'no engine answers');
    return images.has(image) ? { id: `sha256:${image}`, repoDigests: [], user: '' } : null;
  };
  return new Readiness({
    journal: it.journal,
    root: () => it.root,
    directory: openOwnedDirectory(it.manifests),
    images: {
      imageStatus: image => Promise.resolve(image).then(inspect),
      imageFilesystem: () =>
        Promise.resolve({ path: '/engine', totalBytes: 1e9, availableBytes: freeBytes }),
    },
    startFaults: () => (fault === null ? [] : [fault]),
    writeFault: () => writeFault,
    refuses: () => null,
    pods: () => reports,
    clock: { now: () => 0, monotonic: () => 0, sleep: () => new Promise(quiet) },
    log: { info: quiet, warn: quiet, error: quiet },
    onChange: () => changes++,
    ...more,
  });
}

/** Journals of restarts and new parts are looked at by a new one. */
function again(more: Partial<ReadinessParts> = {}): void {
  readiness.close();
  readiness = start(more);
}

async function told(type: 'AloneReady' | 'UndoReady'): Promise<string> {
  await readiness.look();
  const found = readiness.conditions().find(one => one.type === type);
  return `${found?.status} ${found?.reason}: ${found?.message}`;
}
const alone = () => told('AloneReady');
const undo = () => told('UndoReady');

function healthy(...bundles: Made[]): void {
  it.assign(...bundles);
  it.wait(11);
  it.pass();
}

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

function inJournal(sql: string): void {
  it.journal.settle();
  const db = new Database(join(it.dataDir, 'journal.db'));
  db.exec(sql);
  db.close();
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
        writeFault = 'the directory is read-only';
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
      () => (fault = { reason: 'IdentityUnreadable', message: 'identity.key: not a key' }),
      /^False IdentityUnreadable: identity.key: not a key$/,
    ],
    [
      'the engine has no room',
      () => (freeBytes = 1024),
      /^False NoSpace: the engine's file system \(\/engine\) has 1 KiB left/,
    ],
    [
      'the engine does not answer',
      () => (isEngineUp = false),
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
    it.close();
    it = new ActivationWorld({ hasLocalSecret: () => true });
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
    reports = [report('hand', 'gone:1', 'Succeeded'), report('other', 'web:1', 'Running')];
    assert.match(
      await alone(),
      /^True Complete: 0 pods of 0 bundles and 1 of this node's own would/,
    );
    healthy(made('shop', 1, { pods: ['web', 'db'] }), made('till', 1));
    const both = /^True Complete: 3 pods of 2 bundles and 1 of this node's own would start/;
    assert.match(await alone(), both);
    reports = [report('hand', 'gone:1', 'Running')];
    assert.match(await alone(), /^False ImageMissing: pod default\/hand, image "gone:1"/);
  });

  test('a job of a bundle that is done needs its image no more', async () => {
    healthy(made('shop', 1));
    images.delete('shop:1');
    const manifest = it.journal.files().values().next().value?.manifest ?? '';
    const pod = { metadata: { name: 'shop' }, status: { phase: 'Succeeded' } };
    reports = [
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

describe('undo-ready', () => {
  test('where nothing older was healthy there is nothing to go back to', async () => {
    healthy(made('shop', 1));
    assert.equal(await undo(), 'True NothingToUndo: no bundle has an older healthy revision here');
    assert.equal(readiness.undoFault(SHOP, 'another'), null);
  });

  describe('after a lost journal', () => {
    const lose = (alsoInTwin: (kept: Record<string, unknown>) => void = () => undefined) => {
      healthy(made('shop', 1));
      healthy(made('shop', 2));
      readiness.close();
      it.journal.close();
      for (const name of readdirSync(it.dataDir).filter(one => /^journal\.db/.test(one)))
        rmSync(join(it.dataDir, name));
      const file = join(it.dataDir, 'journal.floors.json');
      const twin = JSON.parse(readFileSync(file, 'utf8')) as { kept: Record<string, unknown> };
      alsoInTwin(twin.kept);
      writeFileSync(file, JSON.stringify(twin));
      it.restart();
      again();
    };

    test('there is no way back until what was healthy before came again, and that is said', async () => {
      lose();
      assert.equal(
        await undo(),
        'False ContentMissing: bundle default/shop: the signed document of revision 1 is not kept here; the hub is asked for it',
      );
      it.store(made('shop', 1));
      assert.equal(await undo(), 'True Complete: bundle default/shop to revision 1');
    });

    test('with a twin that knew nothing of it, it is said why there is nothing', async () => {
      lose(kept => delete kept['healthy']);
      assert.match(
        await undo(),
        /^True NothingToUndo: no bundle has an older healthy revision here: the journal was lost and began anew at \d{4}-\S+Z, and what was/,
      );
    });
  });

  test('the previous healthy revision is whole', async () => {
    healthy(made('shop', 1));
    healthy(made('shop', 2));
    assert.equal(await undo(), 'True Complete: bundle default/shop to revision 1');
  });

  const rows: readonly [string, () => void, RegExp][] = [
    [
      'its image went',
      () => images.delete('shop:1'),
      /^False ImageMissing: pod default\/shop, image "shop:1"/,
    ],
    [
      'its manifest went',
      () =>
        inJournal(
          `DELETE FROM blobs WHERE digest = '${made('shop', 1).document.manifests[0]?.digest}'`,
        ),
      /^False ContentMissing: bundle default\/shop revision 1: /,
    ],
    [
      'the root denies it',
      () => (it.root = rootDocument({ floors: { 'default/shop': 2 } })),
      /^False Rollback: bundle default\/shop: revision 1 is below the root's floor$/,
    ],
  ];
  for (const [sentence, happens, expected] of rows) {
    test(`${sentence}: it says so, and the node can start all the same`, async () => {
      healthy(made('shop', 1));
      healthy(made('shop', 2));
      happens();
      assert.match(await undo(), expected);
      assert.match(await alone(), /^True /);
    });
  }

  test('before a switch it is about what would be gone back to from there', async () => {
    healthy(made('shop', 1));
    await readiness.look();
    assert.equal(readiness.undoFault(SHOP, 'next'), null);
    images.delete('shop:1');
    await readiness.look();
    assert.equal(readiness.undoFault(SHOP, 'next')?.reason, 'ImageMissing');
  });

  test('what was given up is not gone back to', async () => {
    healthy(made('shop', 1));
    it.fates.set('shop:2', 'failed');
    it.assign(made('shop', 2));
    it.pass();
    assert.deepEqual(it.images(), ['shop:1']);
    assert.match(await undo(), /^True NothingToUndo/);
  });
});

describe('the price', () => {
  test('what does not change is told once, and writes nothing', async () => {
    healthy(made('shop', 1));
    await readiness.look();
    const before = [changes, it.journal.history().row];
    for (let look = 0; look < 5; look++) await readiness.look();
    assert.deepEqual([changes, it.journal.history().row], before);
  });

  test('each image is asked for once in a look, however many pods name it', async () => {
    healthy(made('shop', 1, { pods: ['a', 'b', 'c'] }));
    await readiness.look();
    asked = [];
    await readiness.look();
    assert.deepEqual(asked, ['shop:1']);
  });

  test('a look that is asked for while one is under way sees what happened meanwhile', async () => {
    healthy(made('shop', 1));
    const first = readiness.look();
    images.delete('shop:1');
    await Promise.all([first, readiness.look()]);
    assert.match(await alone(), /^False ImageMissing/);
  });
});
