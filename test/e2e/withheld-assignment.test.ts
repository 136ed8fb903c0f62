/**
 * S22, a selective freeze: a broker that delivers everything but the assignment. The hub's acknowledgements name the one in force, so
 * the node asks, and says that it is in vain. The clock of the node runs fifty times as fast.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assigned } from '../support/fleet.js';
import { revision, world } from '../support/intake-world.js';
import { eventually } from '../support/wait.js';

const isTold = ({ conditions }: { conditions: readonly { readonly type: string }[] }) =>
  conditions.some(({ type }) => type === 'AssignmentWithheld');

describe('S22: a broker that holds back the assignment alone', () => {
  test('is noticed by what the hub acknowledges; the node asks, says it, and takes the assignment that comes', async () => {
    const it = await world({ speed: 50 });
    const { hub, node } = it;
    try {
      await hub.statusWhere('generation 7', ({ generation }) => generation === 7);
      hub.assigned = { epoch: 1, generation: 7 };
      await hub.acknowledge(0);
      hub.assigned = { epoch: 2, generation: 99 };
      await hub.acknowledge(0);
      hub.assigned = { epoch: 1, generation: 9 };
      await hub.acknowledge(0);
      const asked = () => hub.said.request.filter(({ want }) => want === 'assignment');
      await eventually('two questions', () => asked().length >= 2);
      const { conditions } = await hub.statusWhere('it is withheld', isTold);
      const said = conditions.find(({ type }) => type === 'AssignmentWithheld');
      assert.match(said?.message ?? '', /generation 9, generation 7 is here/);
      const nonces = new Set(asked().map(({ nonce }) => nonce));
      assert.equal(nonces.size, asked().length, 'each with a nonce of its own');

      // A former one is not what the hub speaks of; one that is closes the matter.
      const made = revision(2);
      await hub.publishBundle(made.document, made.pods);
      await hub.assign({ generation: 8, bundles: [] });
      await hub.statusWhere('generation 8', ({ generation }) => generation === 8);
      await hub.statusWhere(
        'it is withheld still',
        status => status.generation === 8 && isTold(status),
      );
      await hub.assign({ generation: 9, bundles: [assigned(made.document)] });
      await eventually('the bundle', () => node.images()[0] === 'web:2');
      await hub.statusWhere(
        'nothing is withheld',
        status => status.generation === 9 && !isTold(status),
      );
      const before = asked().length;
      hub.assigned = { epoch: 1, generation: 8 };
      await hub.acknowledge(0);
      await hub.acknowledge(0);
      await new Promise(done => setTimeout(done, 500));
      assert.equal(asked().length, before, 'an acknowledgement of before is no reason to ask');
    } finally {
      await it.stop();
    }
  });

  test('is not blamed for an assignment that came and that a full disk refused', async t => {
    const disk = mkdtempSync(join(tmpdir(), 'fl-held-'));
    const mount = ['-t', 'tmpfs', '-o', 'size=8m,mode=0700', 'tmpfs', disk];
    if (spawnSync('mount', mount).status !== 0) return t.skip('needs the right to mount');
    const usual = process.env['TMPDIR'];
    process.env['TMPDIR'] = disk;
    const it = await world({ speed: 50 });
    if (usual === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = usual;
    const { hub } = it;
    const filler = join(disk, 'filler');
    try {
      await hub.statusWhere('generation 7', ({ generation }) => generation === 7);
      assert.throws(() => writeFileSync(filler, Buffer.alloc(16 * 1024 * 1024)), /ENOSPC/);
      const from = hub.said.status.length;
      await hub.assign({ generation: 8, bundles: [] });
      hub.assigned = { epoch: 1, generation: 8 };
      await hub.acknowledge(0);
      const isFull = (message: string) => /the disk is full: free some space/.test(message);
      await hub.statusWhere('the disk is full', ({ conditions }) =>
        conditions.some(({ type, message }) => type === 'JournalWritable' && isFull(message)),
      );
      const asked = () => hub.said.request.filter(({ want }) => want === 'assignment').length;
      await eventually('it was asked for in vain', () => asked() >= 3);
      assert.equal(hub.said.status.slice(from).some(isTold), false);
      rmSync(filler);
      const well = await hub.statusWhere(
        'generation 8',
        ({ generation, conditions }) =>
          generation === 8 && conditions.every(({ type }) => type !== 'JournalWritable'),
      );
      assert.equal(isTold(well), false);
    } finally {
      rmSync(filler, { force: true });
      await it.stop();
      spawnSync('umount', ['--lazy', disk]);
    }
  });
});
