/** A bundle on its way into the directory: it waits or fails alone, and what runs stays as it is. */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Whereabouts } from '../../../agent/intake/lacking.js';
import { ownedFileName } from '../../../protocol/names.js';
import { assigned, bundleDocument, podManifest } from '../../support/fleet.js';
import { made, StageWorld } from '../../support/stage-world.js';

let world: StageWorld;

beforeEach(() => {
  world = new StageWorld();
});
afterEach(() => world.close());

describe('a bundle', () => {
  const rows: [string, Whereabouts, string][] = [
    ['whose content is coming is staged', { is: 'coming' }, 'shop staged Fetching'],
    ['whose content was asked for waits', { is: 'missing' }, 'shop waiting BlobMissing'],
    ['whose content the hub has not fails', { is: 'absent' }, 'shop failed BlobAbsent'],
    [
      'whose envelope has a wrong signature waits',
      { is: 'refused', final: false, refusal: { code: 'BadSignature', detail: '' } },
      'shop waiting BadSignature',
    ],
    [
      'whose own content is unfit fails',
      { is: 'refused', final: true, refusal: { code: 'Unsupported', detail: '' } },
      'shop failed Unsupported',
    ],
  ];
  for (const [sentence, where, expected] of rows) {
    test(sentence, () => {
      world.whereabouts = where;
      const { document } = made('shop', 'web');
      const lacking = world.assign([document]);
      assert.deepEqual(
        lacking.map(({ digest }) => digest),
        [assigned(document).digest],
      );
      assert.deepEqual(world.states(), [expected]);
    });
  }

  test('that runs lacks what the journal lost of it, and stands where it stood', () => {
    const pods = [podManifest('a'), podManifest('b')];
    const document = bundleDocument(pods);
    world.store(document, pods);
    assert.deepEqual(world.assign([document]), []);
    const before = [world.states(), world.journal.history().row];
    const [first = ''] = document.manifests.map(({ digest }) => digest);
    world.journal.content.dropBlob(first);
    assert.deepEqual(
      world.pass().map(({ digest }) => digest),
      [first],
    );
    assert.deepEqual([world.states(), world.journal.history().row], before);
    world.store(document, pods);
    assert.deepEqual(world.pass(), []);
    world.journal.settle();
    const db = new Database(join(world.dataDir, 'journal.db'));
    db.exec("UPDATE revisions SET envelope = x'00'");
    db.close();
    assert.deepEqual(
      world.pass().map(({ digest }) => digest),
      [assigned(document).digest],
    );
    world.store(document, pods);
    assert.deepEqual([world.pass(), world.states()], [[], before[0]]);
  });

  test('lacks its manifests once its envelope is here, each once', () => {
    const pods = [podManifest('a'), podManifest('b')];
    const document = bundleDocument(pods);
    world.store(document, pods);
    const [first = '', second = ''] = document.manifests.map(({ digest }) => digest);
    world.journal.content.dropBlob(first);
    world.journal.content.dropBlob(second);
    assert.deepEqual(
      world.assign([document]).map(({ digest }) => digest),
      [first, second],
    );
  });

  const BOUND = `sha256:${'b'.repeat(64)}`;
  const digests: readonly [string, string, string[], string][] = [
    ['a tag that it binds to a digest begins', 'x:1', [BOUND], 'activating FilesWritten'],
    [
      'another digest than the manifest’s fails',
      `x@sha256:${'a'.repeat(64)}`,
      [BOUND],
      'failed MixMatch',
    ],
    [
      'the manifest’s own digest begins',
      `x:1@${BOUND}`,
      ['sha256:id', BOUND],
      'activating FilesWritten',
    ],
    ['a tag that it leaves open begins', 'x:1', [], 'activating FilesWritten'],
  ];
  for (const [sentence, image, bound, expected] of digests) {
    test(`with ${sentence}`, () => {
      const pods = [{ ...podManifest('web'), spec: { containers: [{ name: 'app', image }] } }];
      const listed = bound.map(one => (one === 'sha256:id' ? `sha256:${'c'.repeat(64)}` : one));
      const document = bundleDocument(pods, { images: [{ image, digests: listed }] });
      world.store(document, pods);
      world.assign([document]);
      assert.deepEqual(world.states(), [`shop ${expected}`]);
    });
  }

  test('S95: the file of a pod says what its images are bound to, whatever its author wrote there', () => {
    const pods = ['x:1', 'free:1'].map((image, at) => ({
      ...podManifest(`web${at}`),
      metadata: {
        namespace: 'default',
        name: `web${at}`,
        annotations: { 'flotilla.dev/image-digests': '{"x:1":["sha256:mine"]}' },
      },
      spec: { containers: [{ name: 'app', image }] },
    }));
    const images = [
      { image: 'free:1', digests: [] },
      { image: 'x:1', digests: [BOUND] },
    ];
    const document = bundleDocument(pods, { images });
    world.store(document, pods);
    world.assign([document]);
    const said = [...world.journal.files().keys()].sort().map(file => {
      const { metadata } = JSON.parse(fs.readFileSync(join(world.manifests, file), 'utf8')) as {
        metadata: { annotations?: Record<string, string> };
      };
      return metadata.annotations?.['flotilla.dev/image-digests'];
    });
    assert.deepEqual(said.toSorted(), [JSON.stringify({ 'x:1': [BOUND] }), undefined]);
  });

  test('S95: with runtime: none a tag that it binds fails: a kubelet would run what the tag means', () => {
    world.stage = world.makeStage({ runtimeNone: true });
    const pods = [{ ...podManifest('web'), spec: { containers: [{ name: 'app', image: 'x:1' }] } }];
    const document = bundleDocument(pods, { images: [{ image: 'x:1', digests: [BOUND] }] });
    world.store(document, pods);
    world.assign([document]);
    assert.deepEqual(world.states(), ['shop failed Unsupported']);
  });

  test('with an unfit manifest fails as a whole and leaves its former revision in place', () => {
    world.activate('shop', 'web');
    const before = world.files();
    const pods = [podManifest('ok'), { ...podManifest('bad'), colour: 'red' }];
    const document = bundleDocument(pods, { revision: 2 });
    world.store(document, pods);
    world.assign([document]);
    assert.deepEqual(world.states(), ['shop failed Malformed']);
    assert.deepEqual(world.files(), before);
    assert.equal(world.journal.events(0, 10)[0]?.reason, 'BundleFailed');
  });

  test("waits for another's pod name and takes it when it is given up", () => {
    const one = world.activate('one', 'web');
    const two = made('two', 'web');
    world.store(two.document, two.pods);
    world.assign([one.document, two.document]);
    assert.deepEqual(world.states(), ['one activating FilesWritten', 'two waiting Conflict']);
    assert.deepEqual(world.files(), [ownedFileName({ namespace: 'default', name: 'one' }, 'web')]);

    const other = made('one', 'other', { revision: 2 });
    world.store(other.document, other.pods);
    world.assign([two.document, other.document]);
    assert.deepEqual(world.states(), [
      'one activating FilesWritten',
      'two activating FilesWritten',
    ]);
    assert.equal(world.files().length, 2);
  });

  test('that is tried again is told of, once its files are in place: nothing holds its pods up', () => {
    const tried: string[] = [];
    const onTriedAgain = ({ name }: { name: string }) =>
      void tried.push(`${name}: ${world.files().length} file`);
    world.stage = world.makeStage({ onTriedAgain });
    const { document } = world.activate('shop', 'web');
    assert.deepEqual(tried, []);
    world.assign([document], undefined, 1);
    assert.deepEqual(tried, ['shop: 1 file']);
    world.pass();
    assert.equal(tried.length, 1);
  });

  test('is not touched again when nothing changed', () => {
    world.activate('shop', 'web');
    const [file = ''] = world.files();
    const before = fs.statSync(join(world.manifests, file));
    const head = world.journal.history().head;
    world.stage = world.makeStage();
    world.pass();
    const after = fs.statSync(join(world.manifests, file));
    assert.deepEqual(
      [after.ino, after.mtimeMs, world.journal.history().head],
      [before.ino, before.mtimeMs, head],
    );
  });
});
