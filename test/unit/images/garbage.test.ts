/** Which images go, and the loop that lets them go on a simulated engine. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  findGarbage,
  fullName,
  KUBELET_GARBAGE_POLICY,
  noteUses,
  NO_USES,
  type ImagesSeen,
  type ImageUses,
} from '../../../agent/images/garbage.js';
import {
  bundleImages,
  COLLECT_EVERY_MS,
  pinnedImages,
  startImageCollector,
} from '../../../agent/images/collector.js';
import type { StoredImage } from '../../../agent/runtime/images.js';
import { SimulatedClock } from '../../sim/clock.js';
import { SimulatedEngine } from '../../sim/engine.js';
import { SimulatedRuntime } from '../../sim/runtime.js';
import { manifest, T0 } from '../../support/pods.js';

const MINUTE = 60_000;
const DIGEST = `@sha256:${'a'.repeat(64)}`;
const DAY = 24 * 60 * MINUTE;
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

const image = (name: string, createdAt = T0): StoredImage => ({
  id: `sha256:${name}`,
  names: [`${name}:1`],
  sizeBytes: 10,
  createdAt: new Date(createdAt),
});
const seenOf = (images: StoredImage[], change: Partial<ImagesSeen> = {}): ImagesSeen => ({
  images,
  inUse: new Set(),
  pinned: new Set(),
  ...change,
});
const disk = (availableBytes: number) => ({ path: '/engine', totalBytes: 100, availableBytes });

/** Uses as they are after looks at these times. */
function usesAfter(looks: readonly (readonly [number, ImagesSeen])[]): ImageUses {
  return looks.reduce<ImageUses>((uses, [at, seen]) => noteUses(uses, seen, at), NO_USES);
}

const [a, b, c] = [image('a'), image('b'), image('c')];
const all = seenOf([a, b, c]);
const names = (images: readonly StoredImage[]) => images.map(({ names: [name] }) => name);
const policy = KUBELET_GARBAGE_POLICY;

describe('row 204: which images go', () => {
  const uses = usesAfter([
    [T0, seenOf([a, b, c], { inUse: new Set(['sha256:b']) })],
    [T0 + MINUTE, seenOf([a, b, c], { inUse: new Set(['sha256:a']) })],
  ]);
  const now = T0 + 10 * MINUTE;
  const find = (change: Partial<Parameters<typeof findGarbage>[0]>) =>
    findGarbage({ seen: all, uses, filesystem: disk(10), policy, now, ...change });

  test('below the high mark none', () => {
    assert.deepEqual(find({ filesystem: disk(16) }), { forSpace: [], freeBytes: 0, forAge: [] });
  });

  test('at the high mark as much as brings the disk to the low mark', () => {
    assert.equal(find({ filesystem: disk(15) }).freeBytes, 5);
    assert.equal(find({ filesystem: disk(0) }).freeBytes, 20);
  });

  test('those first that were not used for longest, the older image first among equals', () => {
    assert.deepEqual(names(find({}).forSpace), ['b:1', 'c:1', 'a:1']);
    const older = image('c', T0 - DAY);
    const seen = seenOf([a, b, older]);
    assert.deepEqual(names(find({ seen }).forSpace), ['c:1', 'b:1', 'a:1']);
  });

  test('never one of a container, running or not, nor one that is pinned by name or id', () => {
    const seen = seenOf([a, b, c], {
      inUse: new Set(['sha256:a']),
      pinned: new Set(['docker.io/library/b:1', 'sha256:c']),
    });
    assert.deepEqual(find({ seen }).forSpace, []);
  });

  test('never one that was seen first less than two minutes ago', () => {
    const late = noteUses(uses, seenOf([a, b, c, image('d')]), now - 2 * MINUTE + 1);
    const seen = seenOf([image('d')]);
    assert.deepEqual(find({ seen, uses: late }).forSpace, []);
    assert.deepEqual(names(find({ seen, uses: late, now: now + 1 }).forSpace), ['d:1']);
  });

  test('with a maximum age also on an empty disk, and counted from the last use', () => {
    const aged = { ...policy, maximumAgeMs: DAY };
    const empty = { filesystem: disk(99), policy: aged };
    assert.deepEqual(names(find({ ...empty, now: T0 + DAY + 1 }).forAge), ['b:1', 'c:1']);
    assert.deepEqual(find({ ...empty, now: T0 + DAY }).forAge, []);
  });

  test('what a container held until now was used until now', () => {
    const held = noteUses(uses, seenOf([a, b, c], { inUse: new Set(['sha256:b']) }), now - 1);
    assert.deepEqual(names(find({ uses: held }).forSpace), ['c:1', 'a:1', 'b:1']);
  });

  test('names are the same however they are written', () => {
    for (const [written, full] of [
      ['web', 'docker.io/library/web:latest'],
      ['ann/web:2', 'docker.io/ann/web:2'],
      ['localhost/web', 'localhost/web:latest'],
      ['reg.io:5000/web', 'reg.io:5000/web:latest'],
      ['docker.io/web', 'docker.io/library/web:latest'],
      ['index.docker.io/web:2', 'docker.io/library/web:2'],
      [`reg.io/web${DIGEST}`, `reg.io/web${DIGEST}`],
      [`reg.io/web:7${DIGEST}`, `reg.io/web${DIGEST}`],
    ] as const) {
      assert.equal(fullName(written), full);
    }
    const digested = { ...a, names: [`reg.io/web${DIGEST}`] };
    const seen = seenOf([digested], { pinned: new Set([`reg.io/web:7${DIGEST}`]) });
    assert.deepEqual(find({ seen }).forSpace, []);
  });
});

describe('row 204: the loop', () => {
  const start = (pinned: () => ReadonlySet<string> | null) => {
    const clock = new SimulatedClock(T0);
    const engine = new SimulatedEngine(clock);
    for (const name of ['old:1', 'older:1', 'wanted:1']) engine.addImage(name, 60);
    const warnings: string[] = [];
    const log = { ...quiet, warn: (message: string) => void warnings.push(message) };
    const store = new SimulatedRuntime(engine, 'own');
    const collector = startImageCollector({ store, policy, pinned, clock, log });
    const looks = async (count: number) => {
      for (let i = 0; i < count; i++) {
        await clock.settle(() => engine.acts.length);
        clock.advance(COLLECT_EVERY_MS);
      }
      await clock.settle(() => engine.acts.length);
    };
    return { engine, collector, looks, warnings };
  };

  test('on a full disk unused images go until there is room, and no more', async () => {
    const { engine, collector, looks, warnings } = start(() => new Set(['wanted:1']));
    await looks(0);
    engine.filesystem = { path: '/engine', totalBytes: 1000, availableBytes: 145 };
    await looks(1);
    assert.deepEqual([...engine.images.keys()], ['older:1', 'wanted:1']);
    assert.deepEqual(warnings, []);
    await collector.stop();
  });

  test('one that cannot free enough says so, and the pinned image stays', async () => {
    const { engine, collector, looks, warnings } = start(() => new Set(['wanted:1']));
    await looks(0);
    engine.filesystem = { path: '/engine', totalBytes: 1000, availableBytes: 0 };
    await looks(1);
    assert.deepEqual([...engine.images.keys()], ['wanted:1']);
    assert.deepEqual(warnings, ['images could not free enough of the disk']);
    await collector.stop();
  });

  test('while it is not known which pods are wanted, none goes', async () => {
    const { engine, collector, looks } = start(() => null);
    engine.filesystem = { path: '/engine', totalBytes: 1000, availableBytes: 0 };
    await looks(3);
    assert.equal(engine.images.size, 3);
    await collector.stop();
  });

  test("what stays: images of all containers of all pods, and the sandbox's", () => {
    const pod = manifest('web', { containers: [{ name: 'a', image: 'a:1' }, { name: 'b' }] });
    const report = { key: '', source: 'file', bundle: null, manifestDigest: null, pod } as const;
    assert.deepEqual([...pinnedImages([report], ['pause:1'])], ['a:1', 'busybox:1', 'pause:1']);
  });

  test('what stays: images of the revisions that a bundle is at, runs, or may be gone back to', () => {
    const documents: Record<string, string[]> = {
      three: ['c:3'],
      two: ['b:2', 'x:1'],
      one: ['a:1'],
      zero: ['z:0'],
    };
    const journal = {
      bundles: () => [
        { digest: 'three', active: 'two', healthy: 'one', previous: 'zero' },
        { digest: 'gone', active: null, healthy: null, previous: null },
      ],
      content: {
        bundleDocument: (digest: string) =>
          documents[digest] && { images: documents[digest].map(image => ({ image, digests: [] })) },
      },
    } as unknown as Parameters<typeof bundleImages>[0];
    assert.deepEqual(bundleImages(journal), ['c:3', 'b:2', 'x:1', 'a:1', 'z:0']);
  });

  test('an engine that does not answer is asked again the next time', async () => {
    const { engine, collector, looks, warnings } = start(() => new Set());
    engine.filesystem = { path: '/engine', totalBytes: 1000, availableBytes: 0 };
    engine.up = false;
    await looks(1);
    assert.deepEqual(warnings, [
      'unused images were not looked for',
      'unused images were not looked for',
    ]);
    engine.up = true;
    await looks(2);
    assert.equal(engine.images.size, 0);
    await collector.stop();
  });
});
