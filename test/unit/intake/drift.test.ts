/** `drift: report`: what a person changed stays, is told of, and is overwritten by the next switch; what nobody did is mended. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ownedFileName } from '../../../protocol/names.js';
import { bundleDocument, podManifest, rootDocument } from '../../support/fleet.js';
import { StageWorld } from '../../support/stage-world.js';

const web = ownedFileName({ namespace: 'default', name: 'shop' }, 'web');
const till = ownedFileName({ namespace: 'default', name: 'shop' }, 'till');

let world: StageWorld;
let good: Buffer;
beforeEach(() => {
  world = new StageWorld();
  world.stage = world.makeStage({ drift: 'report' });
  activate(1, [podManifest('web', 'shop:1'), podManifest('till', 'shop:1')]);
  good = fs.readFileSync(path(web));
});
afterEach(() => world.close());

const path = (file: string) => join(world.manifests, file);
function activate(revision: number, pods: Record<string, unknown>[]): void {
  const document = bundleDocument(pods, { name: 'shop', revision });
  world.store(document, pods);
  world.assign([document]);
}
/** As a person would: the image of the pod is another. */
function edit(image = 'hotfix:1'): Buffer {
  const bytes = Buffer.from(good.toString('utf8').replace(/"image":"[^"]*"/, `"image":"${image}"`));
  fs.writeFileSync(path(web), bytes);
  return bytes;
}
function look(): void {
  world.stage.distrustDirectory();
  world.pass();
}
const conditions = () =>
  world.stage.conditions(rootDocument()).filter(({ type }) => type === 'Drifted');
const events = () => world.journal.recentEvents().filter(({ reason }) => reason === 'FileDrifted');

describe('drift: report', () => {
  const hands: readonly (readonly [string, () => void, RegExp, RegExp])[] = [
    [
      'edited',
      () => void edit(),
      /was edited on this node/,
      /\(bundle default\/shop, web\) is edited since/,
    ],
    [
      'deleted',
      () => fs.rmSync(path(web)),
      /was deleted on this/,
      /is gone or no plain file since/,
    ],
    [
      'replaced',
      () => (fs.rmSync(path(web)), fs.mkdirSync(path(web))),
      /was replaced on this/,
      /is gone or no plain file since/,
    ],
  ];
  for (const [what, damage, event, condition] of hands) {
    test(`a file that somebody ${what} stays so: an event and the condition say which, of which bundle, since when`, () => {
      damage();
      look();
      const found = fs.existsSync(path(web)) && fs.statSync(path(web)).isFile();
      assert.notDeepEqual(found ? fs.readFileSync(path(web)) : null, good);
      assert.ok(fs.existsSync(path(till)));
      assert.match(events()[0]?.message ?? '', event);
      const [said, ...more] = conditions();
      assert.deepEqual([said?.status, said?.reason, more], ['True', 'ChangedByHand', []]);
      assert.ok(said?.message.startsWith(`${web} (bundle default/shop, web)`), said?.message);
      assert.match(said?.message ?? '', condition);
    });
  }

  test('is told once, and the time stays, over passes and restarts', () => {
    edit();
    look();
    const [before] = conditions();
    for (let i = 0; i < 3; i++) look();
    world.stage = world.makeStage({ drift: 'report' });
    world.pass();
    assert.deepEqual(conditions(), [before]);
    assert.equal(events().length, 1);
  });

  test('what a person made of it may run, as long as it says of which bundle and pod it is', () => {
    assert.equal(world.stage.explains(web, good), true);
    assert.equal(world.stage.explains(web, edit()), true);
    assert.equal(world.stage.explains(web, Buffer.from('kind: Pod')), 'foreign');
    const other = good.toString('utf8').replace('default/shop', 'default/other');
    assert.equal(world.stage.explains(web, Buffer.from(other)), 'foreign');
    assert.equal(world.stage.explains('flotilla_x.json', good), false);
  });

  test('a look at changed bytes has the directory compared, one at known bytes has not', () => {
    const bytes = edit();
    assert.equal(world.stage.needsRetry(), false);
    world.stage.explains(web, bytes);
    assert.equal(world.stage.needsRetry(), true);
    world.pass();
    world.stage.explains(web, bytes);
    assert.equal(world.stage.needsRetry(), false);
  });

  test('a person who puts it back ends it', () => {
    edit();
    look();
    fs.writeFileSync(path(web), good);
    world.stage.explains(web, good);
    world.pass();
    assert.deepEqual(conditions(), []);
  });

  test('the next switch takes it over, though that manifest did not change', () => {
    edit();
    look();
    activate(2, [podManifest('web', 'shop:1'), podManifest('till', 'shop:2')]);
    assert.deepEqual(fs.readFileSync(path(web)), good);
    assert.deepEqual(conditions(), []);
    look();
    assert.equal(events().length, 1);
  });

  test('a bundle that is removed takes it along', () => {
    edit();
    look();
    world.assign([]);
    assert.deepEqual([world.files(), conditions()], [[], []]);
  });

  test('what the agent was about to write when it was cut off is completed', () => {
    fs.renameSync(path(web), path(`.${web}`));
    world.stage = world.makeStage({ drift: 'report' });
    world.pass();
    assert.deepEqual([fs.readFileSync(path(web)), conditions()], [good, []]);
  });

  test('another directory in its place was not emptied by hand: its files come back', () => {
    fs.renameSync(world.manifests, `${world.manifests}.old`);
    fs.mkdirSync(world.manifests, { mode: 0o755 });
    look();
    assert.deepEqual([fs.readFileSync(path(web)), conditions()], [good, []]);
  });

  test('set back to restore, what was left is put back', () => {
    edit();
    look();
    world.stage = world.makeStage({ drift: 'restore' });
    world.pass();
    assert.deepEqual([fs.readFileSync(path(web)), conditions()], [good, []]);
  });
});
