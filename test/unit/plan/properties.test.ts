/**
 * What holds for every history of a pod with init containers, sidecars, hooks, deadlines, edits, deaths: a plan that was
 * carried out leaves nothing to do, no step is taken twice, what runs as wanted is not touched, two generations of a pod
 * never run at once, a hook is followed by its stop; and the pod beside it, to which nothing happens, has no step.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../support/properties.js';
import type { Step } from '../../../agent/pods/steps.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { manifest, wish } from '../../support/pods.js';
import {
  aPod,
  anEvent,
  editImage,
  happen,
  HOOK,
  NAMES,
  STILL,
  STILL_UID,
  type Event,
} from './happenings.js';
import { hooksBelongToStops, leavesAloneWhatIsRight, neverTwoGenerations } from './invariants.js';
import { World } from './world.js';

const RUNS = 400;

function key(step: Step): string | null {
  switch (step.do) {
    case 'stopContainer':
    case 'removeContainer':
    case 'stopSandbox':
    case 'removeSandbox':
      return `${step.do} ${step.id}`;
    case 'createContainer':
      return `${step.do} ${step.uid} ${step.container} ${step.attempt} ${step.sandboxId}`;
    default:
      return null;
  }
}

const aHistory = fc.record({ pod: aPod, events: fc.array(anEvent, { maxLength: 14 }) });

function play(pod: ValidPod, events: readonly Event[], world = new World(pod, STILL)): World {
  world.onPlan = plans => {
    for (const one of plans) neverTwoGenerations(world, one);
    leavesAloneWhatIsRight(world, plans);
    hooksBelongToStops(world, plans);
  };
  world.settle();
  const begun = world.taken.length;
  for (const event of events) {
    happen(world, event);
    world.settle();
  }
  assert.ok(
    !world.taken.slice(begun).some(({ uid }) => uid === STILL_UID),
    'touched its neighbour',
  );
  return world;
}

const LASTING = [
  manifest('web', { containers: [{ name: 'app0' }, { name: 'app1', ...HOOK }] }),
  manifest('web', { containers: [{ name: 'app0' }] }),
  manifest('web', { uid: 'given', containers: [{ name: 'app0' }, { name: 'app1' }] }),
];

/** What happens to what runs while an edit of it waits for its image. */
const aMishap = fc.oneof(
  fc.record({
    is: fc.constant('exit' as const),
    name: fc.constantFrom('app0', 'app1'),
    code: fc.constantFrom(0, 1),
  }),
  fc.record({ is: fc.constant('remove' as const), name: fc.constantFrom('app0', 'app1') }),
  fc.record({
    is: fc.constant('unhealthy' as const),
    name: fc.constantFrom('app0', 'app1'),
    code: fc.constant(0),
  }),
  fc.record({ is: fc.constant('killSandbox' as const) }),
  fc.record({ is: fc.constant('restartAgent' as const) }),
  fc.record({ is: fc.constant('editApp' as const) }),
  fc.record({ is: fc.constant('editPod' as const) }),
);

describe('while an edit waits for its image', () => {
  const aStory = fc.record({
    pod: fc.constantFrom(...LASTING),
    part: fc.constantFrom('app' as const, 'pod' as const),
    mishaps: fc.array(aMishap, { maxLength: 8 }),
  });

  const goesOn = (world: World, of: ValidPod) => {
    const { uid, containerHashes } = wish(of);
    for (const [name, hash] of containerHashes) {
      const runs = world.there.containers.filter(
        one => one.name === name && one.state === 'running',
      );
      assert.deepEqual(
        runs.map(one => [one.pod.uid, one.hash]),
        [[uid, hash]],
        name,
      );
    }
  };

  test('what runs goes on and is restarted, over restarts of the agent too; then the edit begins', () => {
    fc.assert(
      fc.property(aStory, ({ pod, part, mishaps }) => {
        const world = play(pod, []);
        world.unavailable = new Set(['busybox:2']);
        editImage(world, part);
        world.settle();
        for (const mishap of mishaps) {
          happen(world, mishap);
          world.settle();
          world.health = new Map();
          world.later(700_000);
          world.settle();
          goesOn(world, pod);
        }
        world.unavailable = new Set();
        world.later(700_000);
        world.settle();
        goesOn(world, world.wanted[0] ?? pod);
      }),
      { numRuns: RUNS / 4 },
    );
  });

  test('an edit that is taken back has touched nothing', () => {
    fc.assert(
      fc.property(aStory, ({ pod, part, mishaps }) => {
        const world = play(pod, []);
        world.unavailable = new Set(['busybox:2']);
        editImage(world, part);
        const edits = mishaps.filter(({ is }) => is.startsWith('edit') || is === 'restartAgent');
        for (const one of edits) {
          happen(world, one);
          world.settle();
          world.later(20_000);
        }
        world.wanted = [pod, STILL];
        world.settle();
        assert.deepEqual(
          [...new Set(world.taken.map(step => step.do))].includes('stopContainer'),
          false,
        );
        goesOn(world, pod);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('whatever happens to a pod', () => {
  test('its plans come to an end, touch nothing that is right and never run two generations', () => {
    fc.assert(
      fc.property(aHistory, ({ pod, events }) => {
        const world = play(pod, events);
        assert.deepEqual(world.round(), []);
      }),
      { numRuns: RUNS },
    );
  });

  test('nothing is ended or removed twice, and no attempt is made twice in one sandbox', () => {
    fc.assert(
      fc.property(aHistory, ({ pod, events }) => {
        const gone = new Set<string>();
        // A name that was removed by hand may be made again, and a whole pod that was removed begins at 0.
        const kept = events.filter(({ is }) => is !== 'remove' && is !== 'away');
        for (const step of play(pod, kept).taken) {
          const id = key(step);
          if (id === null || step.do === 'stopSandbox') continue;
          assert.ok(!gone.has(id), `${id} twice`);
          gone.add(id);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('row 74: a new agent that knows nothing finds nothing to do', () => {
    fc.assert(
      fc.property(aHistory, ({ pod, events }) => {
        // A probe's verdict is what a new agent has to hear again.
        const world = play(
          pod,
          events.filter(({ is }) => is !== 'unhealthy'),
        );
        const running = world.there.containers.filter(one => one.state === 'running');
        world.restartAgent();
        world.settle();
        for (const { id } of running) {
          const one = world.there.containers.find(other => other.id === id);
          assert.equal(one?.state, 'running', id);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('row 116: at most one init container runs at a time, and none beside an app container', () => {
    fc.assert(
      fc.property(aHistory, ({ pod, events }) => {
        const world = new World(pod);
        const inits = (pod.spec.initContainers ?? [])
          .filter(one => one.restartPolicy !== 'Always')
          .map(({ name }) => name);
        const check = () => {
          const running = NAMES.filter(name => world.runs(name));
          const init = running.filter(name => inits.includes(name));
          assert.ok(init.length <= 1, init.join());
          if (init.length === 1) assert.ok(!running.some(name => name.startsWith('app')));
        };
        world.settle();
        for (const event of events) {
          happen(world, event);
          world.settle();
          check();
        }
      }),
      { numRuns: RUNS },
    );
  });
});
