/** An owned file that others may write to is not what was promised, whatever it says: it is put back, and nobody's hand stays in it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ownedFileName } from '../../../protocol/names.js';
import { bundleDocument, podManifest } from '../../support/fleet.js';
import { StageWorld } from '../../support/stage-world.js';

const web = ownedFileName({ namespace: 'default', name: 'shop' }, 'web');
let world: StageWorld;
beforeEach(() => {
  world = new StageWorld();
  const pods = [podManifest('web', 'shop:1')];
  const document = bundleDocument(pods, { name: 'shop', revision: 1 });
  world.store(document, pods);
  world.assign([document]);
});
afterEach(() => world.close());

const path = () => join(world.manifests, web);
const mode = () => fs.statSync(path()).mode & 0o777;
const told = () =>
  world.journal.recentEvents().flatMap(({ reason, message }) => `${reason}: ${message}`);

describe('a file of a bundle that others may read or write', () => {
  const ways: readonly (readonly [string, () => void, boolean])[] = [
    ['by chmod 666', () => fs.chmodSync(path(), 0o666), true],
    ['by chmod 644', () => fs.chmodSync(path(), 0o644), true],
    ['by chmod 620', () => fs.chmodSync(path(), 0o620), true],
    ['by chown', () => fs.chownSync(path(), 12345, 12345), process.getuid?.() === 0],
  ];
  for (const [how, hand, isPossible] of ways) {
    test(`${how} is put back with its mode, and told`, { skip: !isPossible }, () => {
      const before = fs.readFileSync(path());
      hand();
      world.stage.distrustDirectory();
      world.pass();
      assert.deepEqual([mode(), fs.statSync(path()).uid], [0o600, process.getuid?.()]);
      assert.deepEqual(fs.readFileSync(path()), before);
      assert.match(
        told().join('\n'),
        /FileRestored: \S+ was made readable or writable for others on this node/,
      );
    });
  }

  test('is another file then: who holds the old one open writes into nothing', () => {
    const held = fs.openSync(path(), 'r+');
    fs.chmodSync(path(), 0o666);
    world.stage.distrustDirectory();
    world.pass();
    fs.writeSync(held, 'x', 0);
    fs.closeSync(held);
    assert.notEqual(fs.readFileSync(path(), 'latin1')[0], 'x');
  });

  test('is noticed when it is read, though not a byte of it changed', () => {
    const bytes = fs.readFileSync(path());
    fs.chmodSync(path(), 0o666);
    assert.equal(world.stage.explains(web, bytes), true);
    assert.equal(world.stage.needsRetry(), true);
    world.pass();
    assert.equal(mode(), 0o600);
    assert.equal(world.stage.needsRetry(), false);
  });

  test('is told once, however often it is looked at then', () => {
    fs.chmodSync(path(), 0o640);
    for (let look = 0; look < 3; look++) {
      world.stage.distrustDirectory();
      world.pass();
    }
    assert.equal(told().filter(text => text.startsWith('FileRestored')).length, 1);
  });
});
