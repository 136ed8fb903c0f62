/** Versions that pass their host ports on among each other: none ends for a successor that cannot begin (row 184). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ValidPod } from '../../../protocol/pod.js';
import { manifest } from '../../support/pods.js';
import { World } from './world.js';

function on(name: string, hostPort: number, image = 'busybox:1'): ValidPod {
  return manifest(name, {
    containers: [{ name: `${name}-app`, image, ports: [{ containerPort: 80, hostPort }] }],
  });
}

function started(): World {
  const world = new World(on('a', 8001), on('b', 8002), on('c', 8003), on('d', 8004));
  world.settle();
  world.taken.length = 0;
  return world;
}

/** What was done to each pod. */
const touched = ({ taken }: World) => [
  ...new Set(
    taken
      .filter(step => step.do === 'stopContainer' || step.do === 'stopSandbox')
      .map(step => step.uid),
  ),
];

describe('row 184: pods that pass their ports on in a ring', () => {
  const next = (image: string) => [on('a', 8002), on('b', 8003, image), on('c', 8001)];

  test('all wait for the image of one of them', () => {
    const world = started();
    world.unavailable = new Set(['busybox:2']);
    world.wanted = [...next('busybox:2'), on('d', 8004)];
    world.settle();
    assert.deepEqual(touched(world), []);
    const why = world.acting.desired.pods.map(({ heldEdit }) => heldEdit?.reason);
    assert.deepEqual(why, ['NodePorts', 'ErrImagePull', 'NodePorts', undefined]);
    const [{ heldEdit } = {}] = world.acting.desired.pods;
    assert.match(
      heldEdit?.message ?? '',
      /^spec\.containers\[0\]\.ports\[0\]\.hostPort: .* 8002\/TCP is taken by pod default\/b.* whose new version waits$/,
    );
    world.restartAgent();
    world.settle();
    assert.deepEqual(touched(world), []);
  });

  test('all begin when it can be had', () => {
    const world = started();
    world.unavailable = new Set(['busybox:2']);
    world.wanted = [...next('busybox:2'), on('d', 8004)];
    world.settle();
    world.unavailable = new Set();
    world.later(700_000);
    world.settle();
    assert.deepEqual(
      world.acting.desired.pods.map(({ heldEdit }) => heldEdit),
      [undefined, undefined, undefined, undefined],
    );
    for (const name of ['a-app', 'b-app', 'c-app', 'd-app']) assert.ok(world.runs(name), name);
    assert.equal(touched(world).length, 3);
  });

  test('one whose image is missing holds up nobody who does not want its port', () => {
    const world = started();
    world.unavailable = new Set(['busybox:2']);
    world.wanted = [on('a', 8009), on('b', 8002, 'busybox:2'), on('c', 8003), on('d', 8004)];
    world.settle();
    assert.equal(touched(world).length, 1);
    assert.ok(world.runs('a-app'));
  });
});
