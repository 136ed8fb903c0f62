/** How pods end on the simulated engine: hooks, order, one grace for all, removal and return, the node's shutdown. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { HookError, type HookRunner } from '../../../agent/pods/health.js';
import { shutdownGroups, shutdownPeriods } from '../../../agent/pods/node-shutdown.js';
import type { CompletionStore, PodsOptions } from '../../../agent/pods/pods.js';
import type { Completion } from '../../../agent/pods/completion.js';
import type { Container, LifecycleHandler, ValidPod } from '../../../protocol/pod.js';
import { SimulatedNode } from '../../sim/node.js';
import { manifest, wish, type PodOptions } from '../../support/pods.js';

const nodes: SimulatedNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});

/** Runs hooks of `sleep` for so long, httpGet for as long as its path says, fails those of exec, by the node's clock. */
class ScriptedHooks implements HookRunner {
  readonly runs: { readonly seconds: number; readonly from: number; to: number }[] = [];
  readonly #node: SimulatedNode;

  constructor(node: SimulatedNode) {
    this.#node = node;
  }

  async run(handler: LifecycleHandler, _target: unknown, signal: AbortSignal): Promise<void> {
    const { clock } = this.#node;
    const seconds = handler.sleep?.seconds ?? Number(handler.httpGet?.path?.slice(1) ?? 0);
    const run = { seconds, from: clock.now(), to: -1 };
    this.runs.push(run);
    await clock.sleep(seconds * 1000, signal);
    run.to = clock.now();
    if (handler.exec !== undefined) throw new HookError('it ended with exit code 1');
  }
}

function newNode(parts: Partial<PodsOptions> = {}): { node: SimulatedNode; hooks: ScriptedHooks } {
  let hooks: ScriptedHooks | null = null;
  const node = new SimulatedNode(self => {
    hooks ??= new ScriptedHooks(self);
    return { hooks, ...parts };
  });
  nodes.push(node);
  assert.ok(hooks);
  return { node, hooks };
}

const preStop = (seconds: number): Partial<Container> => ({
  lifecycle: { preStop: { sleep: { seconds } } },
});

function pod(name: string, options: PodOptions & { readonly grace?: number }): ValidPod {
  const { grace = 30, spec, ...rest } = options;
  return manifest(name, { ...rest, spec: { ...spec, terminationGracePeriodSeconds: grace } });
}

async function started(node: SimulatedNode, ...pods: ValidPod[]): Promise<void> {
  node.source.say(...pods);
  const names = pods.map(one => one.metadata.name);
  await node.until('all run', () => names.every(name => node.phase(name) === 'Running'));
}

/** Seconds from `from` to each stop signal, and the grace that each was given. */
function stops(node: SimulatedNode, from: number): [string, number, number][] {
  return node.engine.stops.map(one => [one.name, (one.at - from) / 1000, one.graceSeconds]);
}

describe('the end of a pod', () => {
  test('row 69: hook, then stop signal; the hook’s time is taken out of the grace', async () => {
    const { node, hooks } = newNode();
    await started(node, pod('web', { grace: 20, containers: [{ name: 'app', ...preStop(5) }] }));
    const from = node.clock.now();
    node.source.say();
    await node.until('it is gone', () => node.engine.sandboxes.size === 0);
    assert.equal(hooks.runs.length, 1);
    assert.deepEqual(stops(node, from), [['app', 5, 15]]);
  });

  test('from the hook on it is reported as being stopped, and not ready, until it is gone', async () => {
    const { node } = newNode();
    await started(node, pod('web', { grace: 20, containers: [{ name: 'app', ...preStop(5) }] }));
    assert.equal(node.pods.reports()[0]?.stopping, undefined);
    const from = node.clock.now();
    node.source.say();
    await node.until('its hook runs', () => node.pods.reports()[0]?.stopping !== undefined);
    const [report] = node.pods.reports();
    assert.deepEqual(report?.stopping, [{ container: 'app', since: from, graceSeconds: 20 }]);
    assert.equal(report?.pod.status?.containerStatuses?.[0]?.ready, false);
    await node.until('it is gone', () => node.engine.sandboxes.size === 0);
  });

  test('one that is replaced is reported so while it ends, the new one is not', async () => {
    const { node } = newNode();
    const web = (arg: string) =>
      pod('web', { grace: 20, containers: [{ name: 'app', args: [arg], ...preStop(5) }] });
    await started(node, web('former'));
    const former = node.running('web')?.id;
    node.source.say(web('new'));
    await node.until('it is stopped', () => node.pods.reports()[0]?.stopping !== undefined);
    await node.until('the new one runs', () => {
      const [report] = node.pods.reports();
      const [status] = report?.pod.status?.containerStatuses ?? [];
      const isReady = status?.ready === true && report?.outdated === undefined;
      return isReady && node.running('web')?.id !== former;
    });
    assert.equal(node.pods.reports()[0]?.stopping, undefined);
  });

  test('row 69: a hook that takes longer is cut, and the stop signal gets its two seconds', async () => {
    const { node, hooks } = newNode();
    await started(node, pod('web', { grace: 10, containers: [{ name: 'app', ...preStop(10) }] }));
    const from = node.clock.now();
    node.source.say();
    await node.until('it is gone', () => node.engine.sandboxes.size === 0);
    assert.equal(hooks.runs[0]?.to, from + 10_000);
    assert.deepEqual(stops(node, from), [['app', 10, 2]]);
  });

  for (const [says, grace, change, hookSeconds] of [
    ['deleted with grace 0: a second for the hook', 0, 'delete', 1],
    ['deleted with grace 1: a second for the hook', 1, 'delete', 1],
    ['edited in place with grace 0: no hook', 0, 'edit', null],
    ['edited in place with grace 1: a second for the hook', 1, 'edit', 1],
  ] as const) {
    test(`rows 68, 69, 112: ${says}, then two seconds for the stop signal`, async () => {
      const { node, hooks } = newNode();
      const preStop = { httpGet: { path: '/10', port: 80 } };
      const app = { name: 'app', lifecycle: { preStop } };
      await started(node, pod('web', { grace, containers: [app] }));
      const from = node.clock.now();
      if (change === 'delete') node.source.say();
      else node.source.say(pod('web', { grace, containers: [{ ...app, args: ['x'] }] }));
      await node.until('it was stopped', () => node.engine.stops.length > 0);
      const ran = hooks.runs.map(({ from: begin, to }) => (to - begin) / 1000);
      assert.deepEqual(ran, hookSeconds === null ? [] : [hookSeconds]);
      assert.deepEqual(stops(node, from), [['app', hookSeconds ?? 0, 2]]);
    });
  }

  test('rows 70, 115: all hooks at once, apps together, sidecars after them in reverse order', async () => {
    const { node, hooks } = newNode();
    node.engine.program = spec =>
      spec.name === 's1' || spec.name === 's2'
        ? { kind: 'runs' }
        : { kind: 'runs', ignoresTerm: spec.name === 'slow' };
    const sidecar = (name: string) => ({
      name,
      image: 'busybox:1',
      restartPolicy: 'Always',
      ...preStop(1),
    });
    const one = pod('web', {
      grace: 30,
      spec: { initContainers: [sidecar('s1'), sidecar('s2')] },
      containers: [{ name: 'slow' }, { name: 'app' }],
    });
    await started(node, one);
    const from = node.clock.now();
    node.source.say();
    await node.until('it is gone', () => node.engine.sandboxes.size === 0);
    assert.deepEqual(
      hooks.runs.map(run => run.from - from),
      [0, 0],
    );
    // `slow` takes the whole grace: what is left for the sidecars is the least that there is.
    const told = stops(node, from).sort(([a, at], [b, bt]) => at - bt || (a < b ? -1 : 1));
    assert.deepEqual(told, [
      ['app', 0, 30],
      ['slow', 0, 30],
      ['s1', 30, 2],
      ['s2', 30, 2],
    ]);
  });

  test('row 115: as long as there is grace each sidecar waits for the one after it', async () => {
    const { node } = newNode();
    node.engine.program = spec => ({ kind: 'runs', ignoresTerm: spec.name === 'app' });
    const stopping = node.engine;
    const sidecar = (name: string) => ({ name, image: 'busybox:1', restartPolicy: 'Always' });
    const spec = { initContainers: [sidecar('s1'), sidecar('s2')] };
    await started(node, pod('web', { grace: 30, spec }));
    const from = node.clock.now();
    node.source.say();
    await node.until('the app was told', () => stopping.stops.length === 1);
    await node
      .until('4 s later', () => node.clock.now() >= from + 4_000, 10_000)
      .catch(() => {
        // The next time that anything happens at lies further away.
      });
    assert.deepEqual(
      stops(node, from).map(([name]) => name),
      ['app'],
    );
    const app = node.running('web');
    if (app !== undefined) stopping.exitContainer(app.id, 0);
    await node.until('it is gone', () => stopping.sandboxes.size === 0);
    assert.deepEqual(
      stops(node, from).map(([name]) => name),
      ['app', 's2', 's1'],
    );
  });

  test('row 112: no hook for a container that ends by itself; a failing one is an event and no more', async () => {
    const { node, hooks } = newNode();
    const failing = { lifecycle: { preStop: { exec: { command: ['false'] } } } };
    await started(node, pod('web', { containers: [{ name: 'app', ...failing }] }));
    node.engine.exitContainer(node.running('web')?.id ?? '', 1);
    await node.until('it runs again', () => node.running('web')?.attempt === 1);
    assert.equal(hooks.runs.length, 0);
    node.source.say();
    await node.until('it is gone', () => node.engine.sandboxes.size === 0);
    assert.equal(hooks.runs.length, 1);
    assert.equal(node.events.filter(({ reason }) => reason === 'FailedPreStopHook').length, 1);
  });

  test('row 72: deleted while the agent was down: hook, order and grace are read from the engine', async () => {
    const { node, hooks } = newNode();
    const spec = {
      initContainers: [{ name: 's1', image: 'busybox:1', restartPolicy: 'Always' }],
    };
    const one = pod('web', { grace: 20, spec, containers: [{ name: 'app', ...preStop(5) }] });
    await started(node, one);
    await node.restart();
    const from = node.clock.now();
    node.source.say();
    await node.until('it is gone', () => node.engine.sandboxes.size === 0);
    assert.equal(hooks.runs.length, 1);
    assert.deepEqual(
      stops(node, from).map(([name, at, grace]) => [name, at, grace]),
      [
        ['app', 5, 15],
        ['s1', 5, 15],
      ],
    );
  });

  for (const restartPolicy of ['Always', 'Never'] as const) {
    test(`row 67: removed and back while it ends: ends fully, then begins anew (${restartPolicy})`, async () => {
      const { node } = newNode();
      node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
      const one = pod('web', { grace: 20, spec: { restartPolicy } });
      await started(node, one);
      const before = node.running('web');
      const from = node.clock.now();
      node.source.say();
      await node.until('it is being ended', () => node.engine.stops.length === 1);
      node.source.say(one);
      await node.until('it runs again', () => {
        const now = node.running('web');
        return now !== undefined && now.id !== before?.id;
      });
      assert.ok(node.clock.now() >= from + 20_000, 'the whole grace');
      assert.notEqual(node.running('web')?.sandboxId, before?.sandboxId);
      assert.equal(node.report('web')?.pod.metadata?.uid, before?.pod.uid);
      assert.equal(node.running('web')?.attempt, 1);
      await node.until('an hour later', () => node.clock.now() > from + 3_600_000, 7_200_000);
      assert.equal(node.phase('web'), 'Running');
      assert.equal(node.running('web')?.attempt, 1);
    });
  }
});

describe('the beginning of a container', () => {
  test('rows 110, 80: the next one waits for the postStart hook, and is not shown running before', async () => {
    const { node } = newNode();
    const first = { name: 'a', lifecycle: { postStart: { sleep: { seconds: 10 } } } };
    node.source.say(pod('web', { containers: [first, { name: 'b' }] }));
    await node.until('a was started', () => node.running('web', 'a') !== undefined);
    const [a] = node.report('web')?.pod.status?.containerStatuses ?? [];
    assert.equal(a?.state?.running, undefined);
    assert.equal(node.running('web', 'b'), undefined);
    const from = node.running('web', 'a')?.startedAt?.getTime() ?? 0;
    await node.until('b runs', () => node.running('web', 'b') !== undefined);
    assert.equal(node.running('web', 'b')?.startedAt?.getTime(), from + 10_000);
    await node.until('all is shown', () => node.phase('web') === 'Running');
  });

  test('row 111: a postStart hook that fails ends the container; then policy and back-off', async () => {
    const { node, hooks } = newNode();
    const failing = { name: 'a', lifecycle: { postStart: { exec: { command: ['false'] } } } };
    node.source.say(pod('web', { containers: [failing, { name: 'b' }] }));
    await node.until('b runs all the same', () => node.running('web', 'b') !== undefined);
    await node.until('a was tried thrice', () => hooks.runs.length >= 3);
    assert.ok(node.events.some(({ reason }) => reason === 'FailedPostStartHook'));
    assert.ok(stops(node, 0).every(([name, , grace]) => name === 'a' && grace === 30));
    const a = node.report('web')?.pod.status?.containerStatuses?.[0];
    assert.match(a?.state?.waiting?.reason ?? '', /^(PostStartHookError|CrashLoopBackOff)$/);
    assert.notEqual(a?.lastState?.terminated, undefined);
  });
});

describe('a pod that has ended', () => {
  /** Refuses while `isFull`. */
  class MemoryStore implements CompletionStore {
    isFull = false;
    readonly rows = new Map<string, Completion>();

    all(): ReadonlyMap<string, Completion> {
      return new Map(this.rows);
    }

    remember(completion: Completion): void {
      if (this.isFull) throw new Error('database or disk is full');
      this.rows.set(completion.uid, completion);
    }

    forget(uids: readonly string[]): void {
      for (const uid of uids) this.rows.delete(uid);
    }
  }

  test('P17: is remembered over a restart although the engine has forgotten it', async () => {
    const store = new MemoryStore();
    const { node } = newNode({ completions: store });
    node.engine.program = () => ({ kind: 'exits', code: 0 });
    const job = pod('job', { spec: { restartPolicy: 'OnFailure' } });
    node.source.say(job);
    await node.until('it is over', () => node.phase('job') === 'Succeeded');
    await node.until('its sandbox ended', () => node.sandbox('job') === undefined);
    node.engine.containers.clear();
    node.engine.sandboxes.clear();
    const acts = node.engine.acts.length;
    await node.restart();
    node.source.say(job);
    await node.until('it is shown', () => node.phase('job') === 'Succeeded');
    assert.equal(node.engine.acts.length, acts);
    node.source.say();
    await node.until('it is forgotten', () => store.rows.size === 0);
  });

  test('a disk that is full ends nothing but the remembering, which is made up for', async () => {
    const store = new MemoryStore();
    store.isFull = true;
    const { node } = newNode({ completions: store });
    node.engine.program = spec =>
      spec.args?.[0] === 'end' ? { kind: 'exits', code: 0 } : { kind: 'runs' };
    const job = pod('job', {
      spec: { restartPolicy: 'Never' },
      containers: [{ name: 'app', args: ['end'] }],
    });
    node.source.say(job);
    await node.until('it is over', () => node.phase('job') === 'Succeeded');
    node.source.say(job, pod('web', {}));
    await node.until('others go on', () => node.phase('web') === 'Running');
    assert.equal(node.errors.length, 1);
    store.isFull = false;
    await node.until('it is remembered', () => store.rows.size === 1);
  });
});

describe('the node’s shutdown', () => {
  test('rows 186, 187: groups by priority, the two system classes by name, the lowest first', () => {
    const of = (name: string, spec: PodOptions['spec']) =>
      wish(manifest(name, spec ? { spec } : {}));
    const pods = [
      of('plain', {}),
      of('negative', { priority: -5 }),
      of('high', { priority: 1_000 }),
      of('node', { priorityClassName: 'system-node-critical' }),
      of('cluster', { priorityClassName: 'system-cluster-critical' }),
    ];
    const named = (groups: ReturnType<typeof shutdownGroups>) =>
      groups.map(({ uids, seconds }) => [
        seconds,
        ...uids.map(uid => pods.find(one => one.uid === uid)?.pod.metadata.name.split('-')[0]),
      ]);
    assert.deepEqual(named(shutdownGroups(pods, shutdownPeriods(30, 10))), [
      [20, 'plain', 'negative', 'high'],
      [10, 'node', 'cluster'],
    ]);
    const periods = [
      { priority: 2_000_000_001, seconds: 5 },
      { priority: 0, seconds: 60 },
      { priority: 1_000, seconds: 10 },
    ];
    assert.deepEqual(named(shutdownGroups(pods, periods)), [
      [60, 'plain', 'negative'],
      [10, 'high', 'cluster'],
      [5, 'node'],
    ]);
  });

  test('rows 186 to 188: the important end last; each group has its time; nothing begins', async () => {
    const { node } = newNode();
    node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
    const plain = pod('plain', { grace: 300 });
    const quick = pod('quick', { grace: 5, containers: [{ name: 'quick' }] });
    const critical = pod('critical', {
      grace: 300,
      spec: { priorityClassName: 'system-node-critical' },
      containers: [{ name: 'vital' }],
    });
    await started(node, plain, quick, critical);
    const from = node.clock.now();
    let isOver = false;
    const shutdown = node.pods.shutdown(shutdownPeriods(30, 10)).then(() => (isOver = true));
    await node.until('two were told', () => node.engine.stops.length === 2);
    node.source.say(plain, quick, critical, manifest('late'));
    await node.until('the shutdown is over', () => isOver);
    await shutdown;
    const order = stops(node, from).sort(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(order, [
      ['app', 0, 20],
      ['quick', 0, 5],
      ['vital', 20, 10],
    ]);
    assert.equal(node.phase('late'), 'Failed');
    assert.equal(node.report('late')?.pod.status?.reason, 'NodeShutdown');
    assert.equal(node.containers('late').length, 0);
    await node.until('an hour later', () => node.clock.now() > from + 3_600_000, 7_200_000);
    assert.equal(node.running('plain'), undefined);
    const status = node.report('plain')?.pod.status;
    assert.deepEqual([status?.phase, status?.reason], ['Failed', 'Terminated']);
    assert.match(status?.message ?? '', /imminent node shutdown/);
    await node.restart();
    node.source.say(plain, quick, critical);
    await node.until('it runs again', () => node.phase('plain') === 'Running');
  });

  test('row 188: an edit that is held, or that comes during it, does not begin either', async () => {
    const { node } = newNode();
    node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
    const names = ['held', 'edited', 'other'] as const;
    await started(node, ...names.map(name => pod(name, { grace: 5 })));
    const next = (name: string, container: object, spec: PodOptions['spec'] = {}) =>
      pod(name, { grace: 5, containers: [{ name: 'app', ...container }], spec });
    const held = next('held', { image: 'busybox:2' }, { hostname: 'moved' });
    node.source.say(held, pod('edited', { grace: 5 }), pod('other', { grace: 5 }));
    await node.until('it is held', () => node.pods.planText().includes('waits'));
    const from = node.clock.now();
    let isOver = false;
    const shutdown = node.pods.shutdown(shutdownPeriods(30, 10)).then(() => (isOver = true));
    await node.until('all were told', () => node.engine.stops.length === 3);
    node.engine.registry.add('busybox:2');
    node.source.say(held, next('edited', { args: ['x'] }), next('other', {}, { hostname: 'y' }));
    await node.until('the shutdown is over', () => isOver);
    await shutdown;
    await node.until('an hour later', () => node.clock.now() > from + 3_600_000, 7_200_000);
    for (const name of names) assert.equal(node.running(name), undefined, name);
  });

  test('row 68: an end that is under way gets shorter, and never longer', async () => {
    const { node } = newNode();
    node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
    await started(node, pod('web', { grace: 300 }));
    const from = node.clock.now();
    node.source.say();
    await node.until('it was told', () => node.engine.stops.length === 1);
    const shutdown = node.pods.shutdown(shutdownPeriods(20, 0));
    await node.until('it is gone', () => node.engine.containers.size === 0);
    await shutdown;
    assert.deepEqual(stops(node, from), [
      ['app', 0, 300],
      ['app', 0, 20],
    ]);
    assert.ok(node.clock.now() <= from + 21_000);
  });
});
