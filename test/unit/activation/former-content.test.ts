/**
 * After a journal that was lost the node knows what ran by its digest and asks for the rest, before another revision takes its place and
 * afterwards: so that one that fails has something to give way to. Real journal, twin and directory.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Whereabouts } from '../../../agent/intake/lacking.js';
import { ActivationWorld, made } from '../../support/activation-world.js';
import { assigned } from '../../support/fleet.js';

const [first, second, third] = [made('shop', 1), made('shop', 2), made('shop', 3)];
const [firstDigest, secondDigest] = [first, second].map(one => assigned(one.document).digest);

let hub: Whereabouts = { is: 'coming' };
let it: ActivationWorld;
beforeEach(() => {
  hub = { is: 'coming' };
  it = new ActivationWorld({ whereabouts: () => hub });
  for (const revision of [first, second]) {
    it.assign(revision);
    it.wait(11);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  }
});
afterEach(() => it.close());

function lose(alsoInTwin: (kept: Record<string, unknown>) => void = () => undefined): void {
  it.journal.close();
  for (const suffix of ['', '-wal', '-shm'])
    rmSync(join(it.dataDir, `journal.db${suffix}`), { force: true });
  const file = join(it.dataDir, 'journal.floors.json');
  const twin = JSON.parse(readFileSync(file, 'utf8')) as { kept: Record<string, unknown> };
  alsoInTwin(twin.kept);
  writeFileSync(file, JSON.stringify(twin));
  it.restart();
}

const stands = () => [it.images().join(), it.state('shop')];

const lacking = () =>
  it.stage.pass(it.journal.accepted()?.document ?? null, it.root).map(({ digest }) => digest);

test('what runs, and what was healthy before it, is asked for; the next revision waits, and gives way to it when it fails', () => {
  lose();
  it.fates.set('shop:3', 'crash');
  it.assign(third);
  assert.deepEqual(stands(), ['shop:2', 'waiting FormerMissing']);
  assert.match(it.status('shop').message, /the hub is asked for it, for 120 s at most/);
  assert.deepEqual(lacking(), [secondDigest, firstDigest]);
  assert.equal(it.stage.againInMs(), 120_000);
  it.store(second);
  it.pass();
  assert.equal(it.images().join(), 'shop:3');
  it.wait(700);
  assert.deepEqual(stands(), ['shop:2', 'rolledBack ProgressDeadlineExceeded']);
});

test('it waits for no more than two minutes; what comes later is gone back to then', () => {
  lose();
  it.fates.set('shop:3', 'crash');
  it.assign(third);
  it.wait(119);
  it.pass();
  assert.equal(it.images().join(), 'shop:2');
  it.wait(1);
  it.pass();
  assert.equal(it.images().join(), 'shop:3');
  it.wait(700);
  it.pass();
  assert.deepEqual(stands(), ['shop:3', 'failed ProgressDeadlineExceeded']);
  assert.match(it.status('shop').message, /cannot go back: content of revision 2 is missing$/);
  it.store(second);
  it.pass();
  assert.deepEqual(stands(), ['shop:2', 'rolledBack ProgressDeadlineExceeded']);
});

test('it waits for nothing that the hub does not have; then there is no way back, and that is said', () => {
  lose();
  hub = { is: 'absent' };
  it.fates.set('shop:3', 'crash');
  it.assign(third);
  assert.equal(it.images().join(), 'shop:3');
  it.wait(700);
  assert.deepEqual(stands(), ['shop:3', 'failed ProgressDeadlineExceeded']);
  assert.match(it.status('shop').message, /content of revision 2 is missing, and the hub has none/);
  it.fates.delete('shop:3');
  it.wait(11);
  assert.deepEqual(stands(), ['shop:3', 'healthy ContainersSettled'], 'nothing better is left');
});

test('what was healthy is not on trial again: what crashes by now has nothing to give way to', () => {
  it.fates.set('shop:2', 'crash');
  lose();
  it.assign(second);
  it.wait(700);
  assert.equal(it.images().join(), 'shop:2');
  assert.ok(!it.history().includes('shop:2 failed'));
});

test('what the root withdrew is not asked for', () => {
  lose();
  it.root = { ...it.root, denied: [secondDigest ?? ''] };
  it.assign(third);
  assert.equal(it.images().join(), 'shop:3');
  assert.deepEqual(lacking(), [firstDigest]);
});

test('a twin of a version that knew of nothing healthy has nothing waited for', () => {
  lose(kept => delete kept['healthy']);
  it.assign(third);
  assert.equal(it.images().join(), 'shop:3');
});
