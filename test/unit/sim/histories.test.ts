/** Simulated histories with fixed seeds, in processes of their own: the simulation takes the file system over. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { commandOf, liveTogether, tracedBy, type Life, type Lived } from '../../sim/crew.js';

/** Of the suite; the whole is `npm run sim`. Where the machine is slow fewer of them are lived, as many as begin in this time. */
const [FIRST, HISTORIES, BEGIN_WITHIN_MS] = [10_001, 175, 45_000];
/** So many are lived twice, in other processes. */
const COMPARED = 3;
const WORKERS = 2;

/** Aimed at a promise each, from a seed on that finds out that it is broken: two of them. */
const SCENES = [
  ['told', 20_000, 'a node says nothing that a power cut could still take from it'],
  [
    'stick',
    20_000,
    'a stick brings a node without a line all that it says; its receipt brings all back',
  ],
  ['lock', 20_000, 'pods that ask for time are left alone'],
  ['keys', 20_000, 'a node whose keys change reads what was sealed before'],
  ['rejoin', 20_000, 'a node that was deleted is shown nowhere until it joins again'],
  ['time', 20_000, 'a clock that nothing vouches for opens no window'],
  ['silence', 20_000, "a node whom the hub's presence did not reach says a lost pod again"],
  ['silence', 20_007, 'a node without a line sleeps, whatever it has still to say'],
  ['heard', 20_000, 'a hub that dies at what it is told does what it wrote down'],
  ['hold', 20_000, 'what is held at the device stays, whatever becomes of agent and journal'],
  ['stale', 20_000, 'what was said once and comes again changes nothing'],
  ['half', 20_000, 'a switch that was cut off is ended, or never was'],
  ['full', 20_009, 'a disk that is full loses no event, and a status says what its twin lacks'],
] as const;
const SEEDS_OF_A_SCENE = [0, 1];

const lived: Lived[] = [];

/** In the same few processes, one after the other: those that have lived some are quicker. */
before(async () => {
  const aimed: Life[] = SCENES.flatMap(([scene, first]) =>
    SEEDS_OF_A_SCENE.map(more => ({ seed: first + more, nodes: null, scene })),
  );
  let seed = FIRST;
  let endsAt: number | null = null;
  const next = (): Life | null => {
    const aim = aimed.shift();
    if (aim) return aim;
    endsAt ??= performance.now() + BEGIN_WITHIN_MS;
    const isOver = seed >= FIRST + COMPARED && performance.now() > endsAt;
    return isOver || seed >= FIRST + HISTORIES ? null : { seed: seed++, nodes: null, scene: null };
  };
  await liveTogether({ workers: WORKERS, next, onLived: one => lived.push(one) });
});

/** What each broke, and the command that lives it again. */
const brokenBy = (some: readonly Lived[]) =>
  some.flatMap(one => one.broken.map(broken => `${commandOf(one)}: ${broken}`));
const ofMany = () => lived.filter(({ scene }) => scene === null);

test('fleets come to rest after whatever befell them, and no invariant is broken', t => {
  t.diagnostic(`${ofMany().length} histories`);
  assert.ok(ofMany().length > 0);
  assert.deepEqual(brokenBy(ofMany()), []);
});

for (const [name, first, promise] of SCENES) {
  test(promise, () => {
    const seeds = SEEDS_OF_A_SCENE.map(more => first + more);
    const some = lived.filter(({ scene, seed }) => scene === name && seeds.includes(seed));
    assert.equal(some.length, seeds.length);
    assert.deepEqual(brokenBy(some), []);
  });
}

test('the same seeds are the same histories in whatever processes, others are other ones', async () => {
  const main = join(import.meta.dirname, '../../sim/main.js');
  const args = ['--seed', String(FIRST), '--histories', String(COMPARED), '--workers', '2'];
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args]);
  const before = ofMany().filter(({ seed }) => seed < FIRST + COMPARED);
  const same = `traced ${tracedBy(before.toSorted((a, b) => b.seed - a.seed))}`;
  assert.ok(stdout.endsWith(`${same}\n${COMPARED} histories, 0 invariants broken\n`), stdout);
  assert.equal(new Set(before.map(({ digest }) => digest)).size, COMPARED);
});
