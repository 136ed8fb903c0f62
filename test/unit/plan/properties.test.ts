/**
 * What holds for every history of a pod with init containers, sidecars, hooks, deadlines, edits, deaths: a plan that was
 * carried out leaves nothing to do, no step is taken twice, what runs as wanted is not touched, two generations of a pod
 * never run at once, a hook is followed by its stop; and the pod beside it, to which nothing happens, has no step.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../support/properties.js';
import type { PodPlan } from '../../../agent/pods/plan.js';
import { waitFor, type Step } from '../../../agent/pods/steps.js';
import type { Container, ValidPod } from '../../../protocol/pod.js';
import { manifest, wish } from '../../support/pods.js';
import { World } from './world.js';

const RUNS = 400;

type Part = Partial<Container> & { name: string };

const RULES = [
  { action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } },
  { action: 'Restart', exitCodes: { operator: 'In', values: [7] } },
];

const HOOK = { lifecycle: { preStop: { exec: { command: ['true'] } } } };
const SIDECAR = {
  restartPolicy: 'Always',
  startupProbe: { exec: { command: ['true'] } },
  ...HOOK,
};

const anInit = fc.constantFrom<Omit<Part, 'name'>>({}, {}, { restartPolicy: 'Always' }, SIDECAR);
const anApp = fc.constantFrom<Record<string, unknown>>(
  {},
  HOOK,
  { restartPolicy: 'OnFailure' },
  { restartPolicy: 'Never', restartPolicyRules: RULES },
);

const aPod: fc.Arbitrary<ValidPod> = fc
  .record({
    restartPolicy: fc.constantFrom('Always', 'OnFailure', 'Never'),
    grace: fc.constantFrom(0, 1, 30),
    deadline: fc.constantFrom({}, {}, {}, { activeDeadlineSeconds: 600 }),
    inits: fc.array(anInit, { maxLength: 3 }),
    apps: fc.array(anApp, { minLength: 1, maxLength: 2 }),
  })
  .map(({ restartPolicy, grace, deadline, inits, apps }) =>
    manifest('web', {
      spec: {
        restartPolicy,
        terminationGracePeriodSeconds: grace,
        ...deadline,
        initContainers: inits.map((one, index) => ({
          name: `init${index}`,
          image: 'busybox:1',
          ...one,
        })),
      },
      containers: apps.map((one, index): Part => ({ name: `app${index}`, ...one })),
    }),
  );

/** Nothing ever happens to it. */
const STILL = manifest('still', { containers: [{ name: 'calm', ...HOOK }] });
const STILL_UID = wish(STILL).uid;

const NAMES = ['init0', 'init1', 'init2', 'app0', 'app1'];
const aName = fc.constantFrom(...NAMES);

const anEvent = fc.oneof(
  fc.record({
    is: fc.constant('exit' as const),
    name: aName,
    code: fc.constantFrom(0, 0, 1, 7, 42),
  }),
  fc.record({ is: fc.constant('remove' as const), name: aName }),
  fc.record({ is: fc.constant('unhealthy' as const), name: aName, code: fc.constantFrom(0, 143) }),
  fc.record({ is: fc.constant('later' as const), ms: fc.constantFrom(1_000, 15_000, 700_000) }),
  fc.record({ is: fc.constant('killSandbox' as const) }),
  fc.record({ is: fc.constant('editApp' as const) }),
  fc.record({ is: fc.constant('editInit' as const) }),
  fc.record({ is: fc.constant('editPod' as const) }),
  fc.record({ is: fc.constant('editImage' as const), part: fc.constantFrom('app', 'pod') }),
  fc.record({ is: fc.constant('imageGone' as const) }),
  fc.record({ is: fc.constant('imageComes' as const) }),
  fc.record({ is: fc.constant('starting' as const), name: aName }),
  fc.record({ is: fc.constant('hold' as const) }),
  fc.record({ is: fc.constant('release' as const) }),
  fc.record({ is: fc.constant('away' as const), steps: fc.nat(4) }),
  fc.record({ is: fc.constant('cut' as const), name: aName, steps: fc.nat(5) }),
  fc.record({ is: fc.constant('restartAgent' as const) }),
);

type Event = typeof anEvent extends fc.Arbitrary<infer T> ? T : never;

function edited(pod: ValidPod, part: 'app' | 'init' | 'pod'): ValidPod {
  const { spec } = pod;
  const [init, ...inits] = spec.initContainers ?? [];
  if (part === 'init' && init !== undefined) {
    const args = [...(init.args ?? []), 'x'];
    return { ...pod, spec: { ...spec, initContainers: [{ ...init, args }, ...inits] } };
  }
  const [first, ...rest] = spec.containers;
  if (part === 'app' && first !== undefined) {
    const env = [{ name: 'VERSION', value: String((first.env ?? []).length + 1) }];
    const before = first.env ?? [];
    return {
      ...pod,
      spec: { ...spec, containers: [{ ...first, env: [...before, ...env] }, ...rest] },
    };
  }
  const grace = (spec.terminationGracePeriodSeconds ?? 30) + 1;
  return { ...pod, spec: { ...spec, terminationGracePeriodSeconds: grace } };
}

/** Between two images, one of which may be missing; with the pod's part it becomes another pod. */
function editImage(world: World, part: 'app' | 'pod'): void {
  const next = (pod: ValidPod): ValidPod => {
    const [first, ...rest] = pod.spec.containers;
    if (first === undefined) return pod;
    const image = first.image === 'busybox:1' ? 'busybox:2' : 'busybox:1';
    const moved = { ...pod, spec: { ...pod.spec, containers: [{ ...first, image }, ...rest] } };
    return part === 'app' ? moved : edited(moved, 'pod');
  };
  world.wanted = world.wanted.map(pod => (pod === STILL ? pod : next(pod)));
}

function edit(world: World, part: 'app' | 'init' | 'pod'): void {
  world.wanted = world.wanted.map(pod => (pod === STILL ? pod : edited(pod, part)));
}

function happen(world: World, event: Event): void {
  switch (event.is) {
    case 'exit':
      if (world.runs(event.name)) world.exit(event.name, event.code);
      return;
    case 'remove':
      return world.remove(event.name);
    case 'unhealthy': {
      const one = world.newest(event.name);
      if (one?.state !== 'running') return;
      const kill = { probe: 'liveness', message: '', graceSeconds: null } as const;
      world.health = new Map([[one.id, { started: true, ready: false, kill }]]);
      return;
    }
    case 'later':
      return world.later(event.ms);
    case 'killSandbox':
      return world.killSandboxes('web');
    case 'editApp':
      return edit(world, 'app');
    case 'editInit':
      return edit(world, 'init');
    case 'editPod':
      return edit(world, 'pod');
    case 'editImage':
      return editImage(world, event.part === 'app' ? 'app' : 'pod');
    case 'imageGone':
      world.unavailable = new Set(['busybox:2']);
      return;
    case 'imageComes':
      world.unavailable = new Set();
      world.memory = { ...world.memory, failures: new Map() };
      return;
    case 'starting': {
      const one = world.newest(event.name);
      if (one === undefined) return;
      world.health = new Map([[one.id, { started: false, ready: false, kill: null }]]);
      return;
    }
    case 'hold':
      world.held = new Set(['web']);
      return;
    case 'release':
      world.held = new Set();
      return;
    case 'away': {
      const { wanted } = world;
      world.wanted = [STILL];
      world.round(event.steps);
      world.wanted = wanted;
      return;
    }
    case 'cut':
      // Something ends, and the agent with it, in the midst of mending that.
      if (world.runs(event.name)) world.exit(event.name, 42);
      world.round(event.steps);
      return world.restartAgent();
    case 'restartAgent':
      return world.restartAgent();
  }
}

/** True when `step` cannot begin before `earlier` is over, directly or through others. */
function follows(steps: readonly Step[], step: number, earlier: number): boolean {
  const [last, first] = [steps[step], steps[earlier]];
  if (last === undefined || first === undefined) return false;
  if (waitFor(last, first) !== 'none') return true;
  for (let between = earlier + 1; between < step; between++) {
    const middle = steps[between];
    if (middle === undefined || waitFor(last, middle) === 'none') continue;
    if (follows(steps, between, earlier)) return true;
  }
  return false;
}

/** Nothing of a pod begins while something of another pod of its name, or of what is to end of it, still runs. */
function neverTwoGenerations({ there, condemned }: World, { key: name, steps }: PodPlan): void {
  for (const [at, step] of steps.entries()) {
    if (step.do !== 'startContainer') continue;
    for (const one of there.containers) {
      const isOfName = `${one.pod.namespace}/${one.pod.name}` === name;
      const isOther = one.pod.uid !== step.uid || condemned.has(one.id);
      if (!isOfName || !isOther || one.state !== 'running') continue;
      const stop = steps.findIndex(other => other.do === 'stopContainer' && other.id === one.id);
      assert.ok(stop !== -1, `${step.container} begins beside ${one.name} of the one before`);
      assert.ok(stop < at && follows(steps, at, stop), `${step.container} does not wait`);
    }
  }
}

/** Running as the manifest has it, in a sandbox that stays, of a pod that goes on. */
function leavesAloneWhatIsRight(world: World, plans: readonly PodPlan[]): void {
  const { pods } = world.acting.desired;
  for (const { steps } of plans) {
    for (const step of steps) {
      if (step.do !== 'stopContainer') continue;
      const one = world.there.containers.find(({ id }) => id === step.id);
      const pod = pods.find(({ uid }) => uid === step.uid);
      const sandbox = world.there.sandboxes.find(({ id }) => id === one?.sandboxId);
      if (one === undefined || pod === undefined || world.condemned.has(one.id)) continue;
      const isKilled = world.memory.kills.has(`${one.pod.uid}/${one.id}`);
      const isRight = pod.containerHashes.get(one.name) === one.hash && !isKilled;
      const stays = sandbox?.ready === true && sandbox.hash === pod.sandboxHash;
      const isOver = world.completions.has(pod.uid);
      const isRestarted = step.reason.startsWith('all containers of the pod are to be');
      assert.ok(!isRight || !stays || isOver || isRestarted, `${one.name}: ${step.reason}`);
    }
  }
}

/** Rows 69, 112: with a grace there is a hook before each stop that has one, and none without its stop. */
function hooksBelongToStops(world: World, plans: readonly PodPlan[]): void {
  for (const { steps } of plans) {
    const hooked = steps.flatMap(step => (step.do === 'runPreStop' ? [step.id] : []));
    const wanted = steps.flatMap(step => {
      if (step.do !== 'stopContainer' || step.graceSeconds === 0) return [];
      const one = world.there.containers.find(({ id }) => id === step.id);
      return (one?.preStop ?? null) === null ? [] : [step.id];
    });
    assert.deepEqual(hooked.toSorted(), wanted.toSorted());
  }
}

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
