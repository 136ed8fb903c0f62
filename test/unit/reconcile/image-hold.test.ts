/** Which images a new version waits for, and how it is said. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  crashKey,
  EMPTY_MEMORY,
  failureKey,
  keepFetched,
  noteFailure,
  noteFetched,
  type Memory,
} from '../../../agent/pods/back-off.js';
import { imageHold, missingImages } from '../../../agent/pods/image-hold.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { manifest, running, T0, wish } from '../../support/pods.js';

const INIT = { initContainers: [{ name: 'init', image: 'busybox:1' }] };
const was = wish(manifest('web', { containers: [{ name: 'a' }, { name: 'b' }], spec: INIT }));

const edited = (b: object, spec: object = {}): ValidPod =>
  manifest('web', { containers: [{ name: 'a' }, { name: 'b', ...b }], spec: { ...INIT, ...spec } });

const failed = (memory: Memory, uid: string, image: string) =>
  noteFailure(
    memory,
    { kind: 'image', key: failureKey('image', uid, image), reason: 'ErrImagePull', message: 'no' },
    T0,
  );

const A_AND_B = [
  { name: 'a', image: 'busybox:2' },
  { name: 'b', image: 'busybox:3' },
];

interface Row {
  readonly says: string;
  readonly next: ValidPod;
  /** Images that could not be had. */
  readonly failures?: readonly string[];
  /** Containers whose images were fetched. */
  readonly fetched?: readonly string[];
  readonly missing: readonly string[];
  readonly reason: string | null;
}

const rows: readonly Row[] = [
  {
    says: 'nothing where only the arguments change',
    next: edited({ args: ['x'] }),
    missing: [],
    reason: null,
  },
  {
    says: 'the image of the container that is edited',
    next: edited({ image: 'busybox:2' }),
    missing: ['spec.containers[1].image'],
    reason: 'PullingImage',
  },
  {
    says: 'nothing for another pod of images that run on this node',
    next: edited({}, { hostname: 'x' }),
    missing: [],
    reason: null,
  },
  {
    says: 'an image that is asked for at each start, though it runs',
    next: edited({ imagePullPolicy: 'Always' }),
    missing: ['spec.containers[1].image'],
    reason: 'PullingImage',
  },
  {
    says: 'nothing when it was fetched',
    next: edited({ image: 'busybox:2' }),
    fetched: ['b'],
    missing: [],
    reason: null,
  },
  {
    says: 'what was fetched and could not be had later',
    next: edited({ image: 'busybox:2' }),
    fetched: ['b'],
    failures: ['busybox:2'],
    missing: ['spec.containers[1].image'],
    reason: 'ErrImagePull',
  },
  {
    says: 'an image that runs and could not be had',
    next: edited({ args: ['x'] }),
    failures: ['busybox:1'],
    missing: ['spec.containers[1].image'],
    reason: 'ErrImagePull',
  },
  {
    says: 'two images, and names the one that cannot be had',
    next: manifest('web', { containers: A_AND_B, spec: INIT }),
    failures: ['busybox:3'],
    missing: ['spec.containers[0].image', 'spec.containers[1].image'],
    reason: 'ErrImagePull',
  },
];

describe('a new version waits for', () => {
  for (const { says, next, failures = [], fetched = [], missing, reason } of rows) {
    test(says, () => {
      const pod = wish(next);
      const hash = (name: string) => pod.containerHashes.get(name) ?? '';
      const known = fetched.reduce(
        (memory, name) => noteFetched(memory, crashKey(pod.uid, name, hash(name))),
        EMPTY_MEMORY,
      );
      const memory = failures.reduce((before, image) => failed(before, pod.uid, image), known);
      const found = missingImages(pod, was, { there: running(was), memory });
      assert.deepEqual(
        found.map(({ path }) => path),
        missing,
      );
      const hold = imageHold(pod, found, memory);
      assert.equal(hold?.reason ?? null, reason);
      if (hold !== null)
        assert.match(hold.message, /^spec\.containers\[\d\]\.image: image "busybox/);
    });
  }

  test('S95: the content that its bundle binds an image to, though the tag runs', () => {
    const bindings = new Map([['busybox:1', [`sha256:${'a'.repeat(64)}`]]]);
    const pod = { ...wish(edited({ args: ['x'] })), bindings };
    const there = running(was);
    const found = missingImages(pod, was, { there, memory: EMPTY_MEMORY });
    assert.deepEqual(
      found.map(({ path }) => path),
      ['spec.containers[1].image'],
    );
    const hash = pod.containerHashes.get('b') ?? '';
    const memory = noteFetched(EMPTY_MEMORY, crashKey(pod.uid, 'b', hash));
    assert.deepEqual(missingImages(pod, was, { there, memory }), []);
  });

  test('and what was fetched for another version counts for nothing', () => {
    const pod = wish(edited({ image: 'busybox:2' }));
    const key = crashKey(pod.uid, 'b', pod.containerHashes.get('b') ?? '');
    const memory = noteFetched(EMPTY_MEMORY, key);
    assert.ok(keepFetched(memory, [pod]).fetched.has(key));
    assert.equal(keepFetched(memory, [was]).fetched.size, 0);
  });
});
