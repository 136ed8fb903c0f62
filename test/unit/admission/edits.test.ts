/** What an edit puts into a pod that runs is judged by the policy: nobody gets in who would not have got in at the beginning. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { admission } from '../../../agent/admission/admit.js';
import { DEFAULT_POLICY } from '../../../agent/admission/policy.js';
import { EMPTY_MEMORY } from '../../../agent/pods/back-off.js';
import type { Desired } from '../../../agent/pods/desired.js';
import { plan } from '../../../agent/pods/plan.js';
import type { ObservedPods } from '../../../agent/runtime/runtime.js';
import type { Container } from '../../../protocol/pod.js';
import {
  CALM,
  containerOf,
  manifest,
  NODE,
  running,
  sandboxOf,
  shorthand,
  T0,
  wish,
  wishes,
} from '../../support/pods.js';

type Part = Partial<Container> & { name: string };

const gate = admission({
  policy: { ...DEFAULT_POLICY, file: { ...DEFAULT_POLICY.file, podSecurity: 'baseline' } },
  node: { name: NODE, labels: {}, allocatable: { cpu: '4', pods: '110' } },
});

const PRIVILEGED = { securityContext: { privileged: true } };
const was = wish(manifest('web', { containers: [{ name: 'app' }, { name: 'other' }] }));

function asked(observed: ObservedPods, ...containers: Part[]): Desired {
  const desired = wishes([manifest('web', { containers })]);
  return gate.admit(desired, { reports: [], observed, now: T0 });
}

function steps(desired: Desired, observed: ObservedPods): string[] {
  const world = { ...CALM, memory: EMPTY_MEMORY, podData: new Set<string>(), now: T0 };
  return shorthand(plan({ ...world, desired, observed }));
}

const reason = (desired: Desired) => desired.pods[0]?.rejection?.reason ?? 'admitted';

describe('an edit of a pod that runs', () => {
  test('is made when the policy allows it', () => {
    const observed = running(was);
    const desired = asked(observed, { name: 'app', args: ['2'] }, { name: 'other' });
    assert.equal(reason(desired), 'admitted');
    assert.ok(steps(desired, observed).includes('startContainer app'));
  });

  const REFUSED: readonly [string, Part[]][] = [
    ['what runs may not become', [{ name: 'app', ...PRIVILEGED }, { name: 'other' }]],
    [
      'a new container may not be',
      [{ name: 'app' }, { name: 'other' }, { name: 'new', ...PRIVILEGED }],
    ],
  ];
  for (const [what, containers] of REFUSED) {
    test(`is not made when it is what ${what}: everything goes on as it is`, () => {
      const observed = running(was);
      const desired = asked(observed, ...containers);
      assert.equal(reason(desired), 'PodSecurity');
      assert.deepEqual(steps(desired, observed), []);
    });
  }

  test('is not made when the container ends either; the others are started again', () => {
    const ended = { state: 'exited' } as const;
    const observed: ObservedPods = {
      sandboxes: [sandboxOf(was)],
      containers: [containerOf(was, 'app', ended), containerOf(was, 'other', ended)],
    };
    const desired = asked(observed, { name: 'app', ...PRIVILEGED }, { name: 'other' });
    const taken = steps(desired, observed);
    assert.ok(taken.includes('startContainer other'));
    assert.ok(!taken.some(step => step.includes(' app')), taken.join());
  });

  test('is not made when the sandbox has to be made again', () => {
    const observed: ObservedPods = {
      sandboxes: [sandboxOf(was, { ready: false })],
      containers: [containerOf(was, 'app'), containerOf(was, 'other', { state: 'exited' })],
    };
    const desired = asked(observed, { name: 'app', ...PRIVILEGED }, { name: 'other' });
    assert.ok(!steps(desired, observed).some(step => /^(create|start)Container app/.test(step)));
  });
});
