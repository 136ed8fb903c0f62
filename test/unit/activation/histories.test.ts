/** Whatever is assigned, breaks, waits and restarts, in whatever order: what holds of the node at every moment and in the end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../../support/properties.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { ActivationWorld, made, type Fate } from '../../support/activation-world.js';

const PODS = { pods: ['one', 'two'], strategy: { progressDeadlineSeconds: 20 } };
const REVISIONS = [1, 2, 3].map(revision => made('shop', revision, PODS));
const OTHER = made('other', 1);

type Deed =
  | { readonly do: 'assign'; readonly revision: number; readonly attempt: number }
  | { readonly do: 'fate'; readonly revision: number; readonly fate: Fate }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'restart' };

const revision = fc.integer({ min: 1, max: 3 });
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({
    do: fc.constant('assign' as const),
    revision,
    attempt: fc.integer({ min: 0, max: 2 }),
  }),
  fc.record({
    do: fc.constant('fate' as const),
    revision,
    fate: fc.constantFrom<Fate>('ready', 'crash', 'absent', 'failed'),
  }),
  fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(1, 11, 25) }),
  fc.record({ do: fc.constant('restart' as const) }),
);

function carryOut(world: ActivationWorld, one: Deed): void {
  if (one.do === 'restart') return world.restart();
  if (one.do === 'wait') return world.wait(one.seconds);
  if (one.do === 'fate') return void world.fates.set(`shop:${one.revision}`, one.fate);
  const wanted = REVISIONS[one.revision - 1];
  if (wanted) world.assign({ made: wanted, attempt: one.attempt }, OTHER);
}

const shopImages = (world: ActivationWorld) =>
  world.images().filter(image => image.startsWith('shop:'));

/** What was given up begins again at no attempt up to the one that failed, unless it became healthy after all. */
function neverTriedAgain(world: ActivationWorld): void {
  const failedAt = new Map<string, number>();
  for (const { entry } of readJournal(world.dataDir).history) {
    if (entry.kind !== 'bundle') continue;
    const { digest, attempt, state, reason } = entry;
    if (state === 'activating' && reason === 'FilesWritten') {
      const failed = failedAt.get(digest);
      assert.ok(failed === undefined || attempt > failed, `revision ${entry.revision} again`);
    }
    if (state === 'healthy') failedAt.delete(digest);
    if (state === 'rolledBack') failedAt.set(digest, attempt);
  }
}

test('one revision at a time; what failed is not tried again by itself; the end is good if it can be', () => {
  fc.assert(
    fc.property(fc.array(deed, { minLength: 3, maxLength: 16 }), deeds => {
      const world = new ActivationWorld();
      try {
        carryOut(world, { do: 'assign', revision: 1, attempt: 0 });
        for (const one of deeds) {
          carryOut(world, one);
          assert.ok(new Set(shopImages(world)).size <= 1, 'two revisions at once');
        }
        world.wait(200);
        neverTriedAgain(world);
        const record = world.journal.bundles().find(({ name }) => name === 'shop');
        const { active, healthy, digest, givenUp } = record ?? {};
        // What was given up before it was wanted again does not take the place of anything.
        const isOnly = active === digest || givenUp === true;
        const isProven = active === healthy || (healthy === null && isOnly);
        assert.ok(isProven, 'what runs in the end is neither proven nor the only one');
        const status = world.status('shop');
        const wantedFate = world.fates.get(`shop:${status.revision}`) ?? 'ready';
        if (wantedFate === 'ready' && givenUp === false) {
          assert.deepEqual([status.state, active], ['healthy', digest]);
        }
        assert.equal(status.failed, givenUp === true ? digest : null);
        assert.equal(world.status('other').state, 'healthy', 'the other bundle was held up');
      } finally {
        world.close();
      }
    }),
    { numRuns: 40 },
  );
});
