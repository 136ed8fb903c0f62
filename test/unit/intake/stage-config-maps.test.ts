/** ConfigMaps of a bundle in the directory: before the pods that use them, and gone after them. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { openOwnedDirectory } from '../../../agent/intake/owned-files.js';
import { ownedFileName } from '../../../protocol/names.js';
import { bundleDocument, configMapManifest, podManifest } from '../../support/fleet.js';
import { StageWorld } from '../../support/stage-world.js';

let world: StageWorld;

beforeEach(() => {
  world = new StageWorld();
});
afterEach(() => world.close());

describe('a bundle with ConfigMaps', () => {
  const shop = { namespace: 'default', name: 'shop' };
  const podFile = ownedFileName(shop, 'web');
  const mapFile = ownedFileName(shop, 'ConfigMap/conf');
  const revisionOf = (value: string, revision: number) => {
    const listed = [podManifest('web'), configMapManifest('conf', value)];
    const document = bundleDocument(listed, { revision });
    world.store(document, listed);
    return document;
  };
  const dataOf = () =>
    (JSON.parse(fs.readFileSync(join(world.manifests, mapFile), 'utf8')) as { data: object }).data;
  /** The order in which names appear in and leave the directory. */
  const orderOf = (work: () => void): string[] => {
    const order: string[] = [];
    const real = openOwnedDirectory(world.manifests);
    const directory = {
      ...real,
      apply: (change: Parameters<typeof real.apply>[0]) => {
        order.push(...change.write.map(({ file }) => `+${file}`));
        order.push(...change.remove.map(file => `-${file}`));
        real.apply(change);
      },
    };
    world.stage = world.makeStage({ directory });
    work();
    return order;
  };

  test('puts them in place before the pods, and takes them away after them', () => {
    const wrote = orderOf(() => world.assign([revisionOf('one', 1)]));
    assert.deepEqual(wrote, [`+${mapFile}`, `+${podFile}`]);
    assert.deepEqual(world.states(), ['shop activating FilesWritten']);
    const { annotations } = (
      JSON.parse(fs.readFileSync(join(world.manifests, mapFile), 'utf8')) as {
        metadata: { annotations: Record<string, string> };
      }
    ).metadata;
    assert.equal(annotations['flotilla.dev/bundle'], 'default/shop');
    assert.deepEqual(
      orderOf(() => world.assign([])),
      [`-${podFile}`, `-${mapFile}`],
    );
  });

  test('changes the file of a changed one alone', () => {
    world.assign([revisionOf('one', 1)]);
    const before = fs.statSync(join(world.manifests, podFile));
    world.assign([revisionOf('two', 2)]);
    assert.deepEqual(dataOf(), { key: 'two' });
    const after = fs.statSync(join(world.manifests, podFile));
    assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs]);
  });

  test('mends one that somebody edited or removed', () => {
    world.assign([revisionOf('one', 1)]);
    fs.writeFileSync(join(world.manifests, mapFile), '{}');
    world.stage.distrustDirectory();
    world.pass();
    assert.deepEqual(dataOf(), { key: 'one' });
  });

  test('is no conflict with another bundle that has one of the same name', () => {
    const other = [podManifest('other'), configMapManifest('conf', 'theirs')];
    const document = bundleDocument(other, { name: 'two' });
    world.store(document, other);
    world.assign([revisionOf('one', 1), document]);
    assert.deepEqual(world.states(), [
      'shop activating FilesWritten',
      'two activating FilesWritten',
    ]);
    assert.equal(world.files().length, 4);
  });

  test('fails as a whole where a kubelet runs the pods, with the reason', () => {
    world.stage = world.makeStage({ runtimeNone: true });
    world.assign([revisionOf('one', 1)]);
    assert.deepEqual([world.states(), world.files()], [['shop failed Unsupported'], []]);
    assert.match(world.journal.bundles()[0]?.message ?? '', /ConfigMap conf: with runtime: none/);
  });

  test('fails as a whole when one is unfit', () => {
    const unfit = [podManifest('web'), { ...configMapManifest('conf'), colour: 'red' }];
    const document = bundleDocument(unfit);
    world.store(document, unfit);
    world.assign([document]);
    assert.deepEqual(world.states(), ['shop failed Malformed']);
  });
});
