/** How pods end on the simulated engine: hooks, order, one grace for all, removal and return. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CompletionStore } from '../../../agent/pods/pods.js';
import type { Completion } from '../../../agent/pods/completion.js';
import { newNode, pod, preStop, started, stops } from './ending-node.js';

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
