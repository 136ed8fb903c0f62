/**
 * Init containers, sidecars, restart rules, deadlines and completions as histories: what happens, and the steps that follow.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Container, PodSpec } from '../../../protocol/pod.js';
import { manifest, T0 } from '../../support/pods.js';
import { World } from './world.js';

type Init = Partial<Container> & { name: string };
type Policy = 'Always' | 'OnFailure' | 'Never';

const SIDECAR = { restartPolicy: 'Always' } as const;
const STARTUP: Partial<Container> = { startupProbe: { exec: { command: ['true'] } } };

function world(
  init: readonly Init[],
  spec: Partial<PodSpec> = {},
  apps: readonly Init[] = [],
): World {
  const initContainers = init.map(one => ({ image: `${one.name}:1`, ...one }));
  const containers = apps.length === 0 ? [{ name: 'app' }] : apps;
  return new World(manifest('web', { spec: { ...spec, initContainers }, containers }));
}

/** Settles and says which containers run, in the order of their names. */
function running(one: World): string[] {
  one.settle();
  return one.there.containers
    .flatMap(({ name, state }) => (state === 'running' ? [name] : []))
    .sort();
}

function run(one: World, ...inits: readonly string[]): World {
  for (const name of inits) {
    one.settle();
    one.exit(name, 0);
  }
  one.settle();
  return one;
}

describe('init containers', () => {
  test('row 116: one after the other, each to exit 0, then the app containers', () => {
    const one = world([{ name: 'a' }, { name: 'b' }]);
    assert.deepEqual(running(one), ['a']);
    one.exit('a', 0);
    assert.deepEqual(running(one), ['b']);
    one.exit('b', 0);
    assert.deepEqual(running(one), ['app']);
  });

  test('images of all containers are fetched at the beginning, those of the later ones beside the first', () => {
    const one = world([{ name: 'a' }, { name: 'b' }]);
    const pulls = one.round().filter(step => step.startsWith('pullImage'));
    assert.deepEqual(pulls, ['pullImage a', 'pullImage b', 'pullImage app']);
    assert.deepEqual(
      one.taken.flatMap(step => (step.do === 'pullImage' ? [step.isAhead] : [])),
      [false, true, true],
    );
  });

  for (const policy of ['Always', 'OnFailure'] as const) {
    test(`row 117: one that fails is tried again with the back-off under ${policy}`, () => {
      const one = world([{ name: 'a' }], { restartPolicy: policy });
      one.settle();
      one.exit('a', 1);
      assert.deepEqual(running(one), ['a'], 'the first time at once');
      one.later(1_000);
      one.exit('a', 1);
      assert.deepEqual(running(one), [], 'then after 10 s');
      one.later(9_999);
      assert.deepEqual(running(one), []);
      one.later(1);
      assert.deepEqual(running(one), ['a']);
      assert.equal(one.newest('a')?.attempt, 2);
    });
  }

  test('row 117: under Never a failure is the end of the pod, with its sidecars', () => {
    const one = world([{ name: 's', ...SIDECAR }, { name: 'a' }], { restartPolicy: 'Never' });
    assert.deepEqual(running(one), ['a', 's']);
    one.exit('a', 1);
    assert.deepEqual(running(one), []);
    assert.equal(
      one.there.sandboxes.some(({ ready }) => ready),
      false,
    );
    assert.equal([...one.completions.values()][0]?.phase, 'Failed');
  });

  const KEPT: readonly [string, (one: World) => void][] = [
    ['when an app container ends', one => one.exit('app', 1)],
    ['when the agent begins anew', one => one.restartAgent()],
    ['when it was removed by hand (row 119)', one => one.remove('a')],
    ['when it was removed and the agent begins anew', one => (one.remove('a'), one.restartAgent())],
    ['when an app container is removed by hand', one => one.remove('app')],
  ];
  for (const [when, happens] of KEPT) {
    test(`row 118: not run again ${when}`, () => {
      const one = run(world([{ name: 'a' }], {}, [{ name: 'app' }, { name: 'other' }]), 'a');
      happens(one);
      assert.deepEqual(running(one), ['app', 'other']);
      assert.equal(
        one.taken.filter(step => step.do === 'startContainer' && step.container === 'a').length,
        1,
      );
    });
  }

  test('row 118, T54: run again, in order, when the sandbox has to be made again', () => {
    const one = run(world([{ name: 'a' }, { name: 'b' }]), 'a', 'b');
    one.killSandboxes('web');
    assert.deepEqual(running(one), ['a']);
    one.exit('a', 0);
    assert.deepEqual(running(one), ['b']);
    one.exit('b', 0);
    assert.deepEqual(running(one), ['app']);
    assert.equal(one.newest('a')?.attempt, 1, 'the count goes on');
  });

  test('a power cut between init and app container of a Never pod begins again instead of waiting for ever', () => {
    const one = world([{ name: 'a' }], { restartPolicy: 'Never' });
    one.settle();
    one.exit('a', 0);
    one.killSandboxes('web');
    assert.deepEqual(running(one), ['a']);
  });

  test('row 78: a Never pod whose init container was cut off has failed', () => {
    const one = world([{ name: 'a' }], { restartPolicy: 'Never' });
    one.settle();
    one.killSandboxes('web');
    assert.deepEqual(running(one), []);
    assert.equal([...one.completions.values()][0]?.phase, 'Failed');
  });

  test('T53: the edit of an app container does not run them again', () => {
    for (const restartPolicy of ['Always', 'OnFailure', 'Never'] as const) {
      const one = run(world([{ name: 'a' }], { restartPolicy }), 'a');
      const [pod] = one.wanted;
      assert.ok(pod);
      const containers = [{ name: 'app', image: 'busybox:2' }];
      one.wanted = [{ ...pod, spec: { ...pod.spec, containers } }];
      assert.deepEqual(running(one), ['app'], restartPolicy);
      assert.equal(one.newest('app')?.attempt, 1);
      assert.equal(one.newest('a')?.attempt, 0);
    }
  });

  test('the edit of an init container makes another pod', () => {
    const one = run(world([{ name: 'a' }]), 'a');
    const [pod] = one.wanted;
    assert.ok(pod);
    const before = one.newest('app')?.pod.uid;
    one.wanted = [{ ...pod, spec: { ...pod.spec, initContainers: [{ name: 'a', image: 'a:2' }] } }];
    one.settle();
    assert.deepEqual(running(one), ['a']);
    assert.notEqual(one.newest('a')?.pod.uid, before);
    assert.equal(one.newest('app'), undefined);
  });
});

describe('sidecars', () => {
  test('row 120: what comes next waits until a sidecar has started, not until it is ready', () => {
    const one = world([{ name: 's', ...SIDECAR, ...STARTUP }, { name: 'a' }]);
    assert.deepEqual(running(one), ['s']);
    const id = one.newest('s')?.id ?? '';
    one.health = new Map([[id, { started: true, ready: false, kill: null }]]);
    assert.deepEqual(running(one), ['a', 's']);
  });

  test('row 121: one that ends is started again while a later init container runs, and holds nothing up', () => {
    const one = world([{ name: 's', ...SIDECAR }, { name: 'a' }, { name: 'b' }]);
    assert.deepEqual(running(one), ['a', 's']);
    one.exit('s', 0);
    assert.deepEqual(running(one), ['a', 's']);
    one.exit('s', 1);
    assert.deepEqual(running(one), ['a'], 'its back-off');
    one.exit('a', 0);
    assert.deepEqual(running(one), ['b'], 'the next init container does not wait for it');
    one.later(10_000);
    assert.deepEqual(running(one), ['b', 's']);
  });

  for (const restartPolicy of ['Always', 'OnFailure', 'Never'] as const satisfies Policy[]) {
    test(`T56: restarted beside the app container under ${restartPolicy}`, () => {
      const one = world([{ name: 's', ...SIDECAR }], { restartPolicy });
      assert.deepEqual(running(one), ['app', 's']);
      one.exit('s', 0);
      assert.deepEqual(running(one), ['app', 's']);
    });
  }

  test('T12: one that was removed by hand is made again', () => {
    const one = world([{ name: 's', ...SIDECAR }]);
    one.settle();
    one.remove('s');
    assert.deepEqual(running(one), ['app', 's']);
  });

  test('row 122: a pod completes when its app containers end; then its sidecars are stopped, the last one first', () => {
    const one = world(
      [
        { name: 's1', ...SIDECAR },
        { name: 's2', ...SIDECAR },
      ],
      { restartPolicy: 'Never' },
    );
    one.settle();
    one.exit('app', 0);
    assert.deepEqual(one.settle()[0], ['stopContainer s20', 'stopContainer s10', 'stopSandbox s0']);
    const orders = one.taken.flatMap(step => (step.do === 'stopContainer' ? [step.order] : []));
    assert.deepEqual(orders, [1, 2]);
    assert.equal([...one.completions.values()][0]?.phase, 'Succeeded');
  });

  test('T57: a startup probe that fails ends the sidecar, and the next is not started', () => {
    const one = world([{ name: 's', ...SIDECAR, ...STARTUP }, { name: 'a' }]);
    one.settle();
    const kill = { probe: 'startup', message: '', graceSeconds: 5 } as const;
    one.health = new Map([[one.newest('s')?.id ?? '', { started: false, ready: false, kill }]]);
    const [first] = one.settle();
    assert.deepEqual(first, ['stopContainer s0']);
    assert.deepEqual(running(one), ['s'], 'started again');
    assert.equal(one.newest('s')?.attempt, 1);
  });
});

describe('a probe that wants a container killed', () => {
  const CASES: readonly [Policy, number, string[], string][] = [
    ['Always', 0, ['app'], 'Container app failed liveness probe, will be restarted'],
    ['OnFailure', 0, ['app'], 'Container app failed liveness probe, will be restarted'],
    ['OnFailure', 143, ['app'], 'Container app failed liveness probe, will be restarted'],
    ['Never', 143, [], 'Container app failed liveness probe'],
  ];
  for (const [restartPolicy, exitCode, runs, reason] of CASES) {
    test(`row 108: under ${restartPolicy}, when the program then exits ${exitCode}`, () => {
      const one = world([], { restartPolicy });
      one.settle();
      const { id = '' } = one.newest('app') ?? {};
      const kill = { probe: 'liveness', message: '', graceSeconds: 5 } as const;
      one.health = new Map([[id, { started: true, ready: false, kill }]]);
      one.onPlan = plans => {
        const stops = plans.flatMap(({ steps }) =>
          steps.filter(step => step.do === 'stopContainer'),
        );
        for (const stop of stops) assert.deepEqual([stop.reason, stop.graceSeconds], [reason, 5]);
      };
      // The engine says what the program said.
      one.plan();
      one.exit('app', exitCode);
      assert.deepEqual(running(one), runs);
    });
  }
});

describe('rules on exit codes', () => {
  const rule = (action: string, values: number[], operator = 'In') => ({
    restartPolicy: 'Never' as const,
    restartPolicyRules: [{ action, exitCodes: { operator, values } }],
  });

  test('row 89: a code that a rule names restarts the container, others follow its policy', () => {
    const app = { name: 'app', ...rule('Restart', [42]) };
    const one = world([], { restartPolicy: 'Never' }, [app, { name: 'other' }]);
    one.settle();
    one.exit('app', 42);
    assert.deepEqual(running(one), ['app', 'other']);
    one.exit('app', 1);
    assert.deepEqual(running(one), ['other']);
  });

  test('row 89: a container of its own policy in a Never pod survives the loss of the sandbox', () => {
    const one = world([], { restartPolicy: 'Never' }, [{ name: 'app', restartPolicy: 'Always' }]);
    one.settle();
    one.killSandboxes('web');
    assert.deepEqual(running(one), ['app']);
  });

  test('T22: RestartAllContainers ends all, then begins with the init containers in the same sandbox', () => {
    const app = { name: 'app', ...rule('RestartAllContainers', [42]) };
    const one = world([{ name: 'a' }, { name: 's', ...SIDECAR }], {}, [app, { name: 'other' }]);
    one.settle();
    one.exit('a', 0);
    assert.deepEqual(running(one), ['app', 'other', 's']);
    const sandbox = one.newest('app')?.sandboxId;
    one.exit('app', 42);
    assert.deepEqual(one.round(), ['stopContainer other0', 'stopContainer s0']);
    assert.deepEqual(running(one), ['a']);
    one.exit('a', 0);
    assert.deepEqual(running(one), ['app', 'other', 's']);
    assert.equal(one.newest('other')?.attempt, 1);
    assert.equal(one.newest('app')?.sandboxId, sandbox);
    assert.deepEqual(one.round(), [], 'once');
  });

  test('row 89: a sidecar may ask for a restart of all', () => {
    const asks = rule('RestartAllContainers', [42]).restartPolicyRules;
    const sidecar = { name: 's', ...SIDECAR, restartPolicyRules: asks };
    const one = world([{ name: 'a' }, sidecar]);
    one.settle();
    one.exit('a', 0);
    one.settle();
    one.exit('s', 42);
    assert.deepEqual(running(one), ['a']);
    one.exit('a', 0);
    assert.deepEqual(running(one), ['app', 's']);
  });

  test('row 89: a clock that was put back restarts nothing a second time', () => {
    const app = { name: 'app', ...rule('RestartAllContainers', [42]) };
    const one = world([], {}, [app, { name: 'other' }]);
    one.settle();
    one.later(60_000);
    one.exit('app', 42);
    one.later(-3_600_000);
    assert.deepEqual(running(one), ['app', 'other']);
    assert.equal(one.newest('other')?.attempt, 1);
    one.restartAgent();
    assert.deepEqual(one.round(), []);
  });

  test('row 89: what was made in a former round and never started is made again', () => {
    const app = { name: 'app', ...rule('RestartAllContainers', [42]) };
    const one = world([], {}, [app, { name: 'other' }]);
    one.settle();
    one.exit('other', 1);
    // Until `other` is made, and not started.
    one.round(3);
    assert.equal(one.newest('other')?.state, 'created');
    one.exit('app', 42);
    assert.deepEqual(running(one), ['app', 'other']);
    assert.equal(one.newest('other')?.round, 1);
  });
});

describe('the end of a pod', () => {
  test('P17: what has ended does not run again when its dead containers are removed', () => {
    for (const restartPolicy of ['OnFailure', 'Never'] as const) {
      const one = world([{ name: 'a' }], { restartPolicy });
      run(one, 'a');
      one.exit('app', 0);
      one.settle();
      one.there = { sandboxes: [], containers: [] };
      one.restartAgent();
      assert.deepEqual(one.settle(), [], restartPolicy);
    }
  });

  test('row 79: a container of a pod that has not ended is made again, Never too', () => {
    const one = world([], { restartPolicy: 'Never' }, [{ name: 'app' }, { name: 'other' }]);
    one.settle();
    one.remove('app');
    assert.deepEqual(running(one), ['app', 'other']);
  });

  test('P17: an edit makes it run again, and so does a manifest that went and came back', () => {
    const one = world([], { restartPolicy: 'Never' });
    one.settle();
    one.exit('app', 0);
    one.settle();
    const { wanted } = one;
    one.wanted = [];
    one.settle();
    one.wanted = wanted;
    assert.deepEqual(running(one), ['app']);
  });

  test('row 189: the deadline ends what runs, and nothing begins again', () => {
    const one = world([], { activeDeadlineSeconds: 60, restartPolicy: 'Always' });
    one.settle();
    one.later(59_999);
    assert.deepEqual(running(one), ['app']);
    assert.equal(one.plan()[0]?.againAt, T0 + 60_000);
    one.later(1);
    assert.deepEqual(running(one), []);
    const [completion] = one.completions.values();
    assert.deepEqual([completion?.phase, completion?.reason], ['Failed', 'DeadlineExceeded']);
    one.restartAgent();
    one.later(3_600_000);
    assert.deepEqual(one.settle(), []);
  });

  test('row 189: counts while nothing could be started yet', () => {
    const one = world([], { activeDeadlineSeconds: 60 });
    const times = one.plan().map(({ againAt }) => againAt);
    assert.deepEqual(times, [T0 + 60_000]);
  });

  for (const restartPolicy of ['Always', 'Never'] as const) {
    test(`row 67: removed and back while it ends: ends fully, then begins anew (${restartPolicy})`, () => {
      const one = world([{ name: 'a' }], { restartPolicy });
      run(one, 'a');
      const { wanted } = one;
      const sandbox = one.newest('app')?.sandboxId;
      one.wanted = [];
      assert.deepEqual(one.round(1), ['stopContainer app0']);
      one.wanted = wanted;
      assert.deepEqual(running(one), ['a']);
      assert.equal(one.newest('a')?.attempt, 1, 'the restart count is 1');
      one.exit('a', 0);
      assert.deepEqual(running(one), ['app']);
      assert.notEqual(one.newest('app')?.sandboxId, sandbox);
    });
  }
});
