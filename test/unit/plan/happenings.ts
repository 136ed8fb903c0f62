/** What may happen to a pod with init containers, sidecars, hooks and deadlines: edits, deaths, held images, restarts of the agent. */
import type { Container, ValidPod } from '../../../protocol/pod.js';
import { manifest, wish } from '../../support/pods.js';
import { fc } from '../../support/properties.js';
import type { World } from './world.js';

type Part = Partial<Container> & { name: string };

const RULES = [
  { action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } },
  { action: 'Restart', exitCodes: { operator: 'In', values: [7] } },
];

export const HOOK = { lifecycle: { preStop: { exec: { command: ['true'] } } } };
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

export const aPod: fc.Arbitrary<ValidPod> = fc
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
export const STILL = manifest('still', { containers: [{ name: 'calm', ...HOOK }] });
export const STILL_UID = wish(STILL).uid;

export const NAMES = ['init0', 'init1', 'init2', 'app0', 'app1'];
const aName = fc.constantFrom(...NAMES);

export const anEvent = fc.oneof(
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

export type Event = typeof anEvent extends fc.Arbitrary<infer T> ? T : never;

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
export function editImage(world: World, part: 'app' | 'pod'): void {
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

export function happen(world: World, event: Event): void {
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
