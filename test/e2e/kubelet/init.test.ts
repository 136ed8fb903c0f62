/**
 * Init containers, sidecars, hooks and the order of the end, as files in the directory and `docker` show them. Each test
 * names the row of the kubelet's behaviour, or the kubelet's own test, that it covers. Pods write what happens to them,
 * with times, into a folder of the host.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, FOREVER, NODE, pod } from '../../support/black-box.js';
import { docker, noEngine } from '../../support/docker.js';
import { eventually } from '../../support/wait.js';

describe('init containers, sidecars and hooks, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  const diary = box.path('diary');
  const volumes = [{ name: 'diary', hostPath: { path: diary } }];
  const volumeMounts = [{ name: 'diary', mountPath: '/diary' }];

  /** A container that can write lines into the diary. */
  const writer = (name: string, script: string, more: Record<string, unknown> = {}) =>
    container(name, script, { volumeMounts, ...more });
  const say = (who: string, line: string) => `echo "${line}" >> /diary/${who}`;
  const runsUntilTold = (who: string, name: string, seconds = 0) =>
    `trap 'sleep ${seconds}; ${say(who, `${name} ended`)}; exit 0' TERM; ${say(who, `${name} started`)}; ` +
    'while :; do sleep 3600 & wait; done';
  const linesOf = (who: string) => {
    try {
      return readFileSync(`${diary}/${who}`, 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  };
  const always = { restartPolicy: 'Always' };

  before(async () => {
    mkdirSync(diary);
    await box.start();
  });
  after(() => box.close());

  test('rows 116, 120, 115, T46, T55, T58: init in order, a sidecar beside them, apps after all; the end the other way round', async () => {
    const who = 'order';
    box.put(
      'order.json',
      pod(who, [writer('app', runsUntilTold(who, 'app'))], {
        volumes,
        terminationGracePeriodSeconds: 20,
        initContainers: [
          writer('first', `${say(who, 'first started')}; sleep 0.5; ${say(who, 'first ended')}`),
          writer('side1', runsUntilTold(who, 'side1'), always),
          writer('second', `sleep 0.3; ${say(who, 'second ended')}`),
          writer('side2', runsUntilTold(who, 'side2'), always),
        ],
      }),
    );
    const found = await box.ready(who);
    assert.deepEqual(
      found.status?.initContainerStatuses?.map(one => [one.name, one.state?.terminated?.reason]),
      [
        ['first', 'Completed'],
        ['side1', undefined],
        ['second', 'Completed'],
        ['side2', undefined],
      ],
    );
    await eventually('all have spoken', () => linesOf(who).length === 6);
    const started = linesOf(who);
    const at = (line: string) => started.indexOf(line);
    assert.ok(at('first ended') < at('side1 started'));
    assert.ok(at('side1 started') < at('second ended'));
    assert.ok(at('second ended') < at('app started'));
    box.remove('order.json');
    await box.gone(who);
    assert.deepEqual(linesOf(who).slice(6), ['app ended', 'side2 ended', 'side1 ended']);
  });

  test('row 118, T52: init containers run again neither with an app container nor with the agent, but with a new sandbox', async () => {
    const who = 'once';
    box.put(
      'once.json',
      pod(who, [writer('app', runsUntilTold(who, 'app'))], {
        volumes,
        initContainers: [writer('init', say(who, 'init'))],
      }),
    );
    await box.ready(who);
    const inits = () => linesOf(who).filter(line => line === 'init').length;
    const { Id } = box.running(who, 'app');
    docker('kill', Id);
    await eventually('the app runs again', () => box.running(who, 'app').Id !== Id);
    await box.ready(who);
    assert.equal(inits(), 1);
    await box.restart('SIGKILL');
    await box.ready(who);
    assert.equal(inits(), 1);
    // Row 119, T11: a finished init container that was removed counts as ended.
    await box.stop();
    for (const one of box.inspect(who, 'init')) docker('rm', one.Id);
    await box.start();
    const found = await box.ready(who);
    assert.equal(found.status?.initContainerStatuses?.[0]?.state?.terminated?.exitCode, 0);
    assert.equal(inits(), 1);
    docker('kill', box.running(who, 'POD').Id);
    await eventually('init ran again', () => inits() === 2);
    await box.ready(who);
    box.remove('once.json');
    await box.gone(who);
  });

  test('row 117, T48, T67: a failing init container is tried again and the pod stays Pending; with Never it is Failed', async () => {
    const failing = { initContainers: [container('init', 'exit 3')] };
    box.put('retry.json', pod('retry', undefined, failing));
    box.put('never.json', pod('never', undefined, { ...failing, restartPolicy: 'Never' }));
    const found = await box.until('restarts', 'retry', one =>
      (one.status?.initContainerStatuses?.[0]?.restartCount ?? 0) >= 1 ? one : null,
    );
    assert.equal(found.status?.phase, 'Pending');
    assert.equal(found.status.containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing');
    await box.waiting('retry', 'CrashLoopBackOff');
    await box.phase('never', 'Failed');
    assert.deepEqual(box.inspect('never', 'app'), []);
    box.remove('retry.json');
    box.remove('never.json');
  });

  test('rows 121, 122, T56, T61: a crashing sidecar is started again under Never, and a job beside it ends as it ends', async () => {
    const options = (who: string) => ({
      initContainers: [
        writer('crashes', `${say(who, 'again')}; sleep 0.3; exit 1`, always),
        container('stays', FOREVER, always),
      ],
      restartPolicy: 'Never',
      volumes,
    });
    const until = (who: string) =>
      `until [ "$(grep -c again /diary/${who})" -ge 2 ]; do sleep 0.1; done`;
    const ends = (who: string, code: number) => writer('app', `${until(who)}; exit ${code}`);
    box.put('job.json', pod('job', [ends('job', 0)], options('job')));
    box.put('bad.json', pod('bad', [ends('bad', 4)], options('bad')));
    await box.until('the sidecar restarts', 'job', one =>
      (one.status?.initContainerStatuses?.[0]?.restartCount ?? 0) >= 1 ? one : null,
    );
    await box.phase('job', 'Succeeded');
    await box.phase('bad', 'Failed');
    await eventually('the sidecars are stopped', () =>
      box.inspect('job').every(one => !one.State.Running),
    );
    box.remove('job.json');
    box.remove('bad.json');
  });

  test('row 110, T47: after a start its hook runs; until it returns the container waits, and so does the next', async () => {
    const who = 'post';
    const wait = 'until [ -e /diary/go ]; do sleep 0.1; done';
    const postStart = { exec: { command: ['/bin/sh', '-c', `${wait}; ${say(who, 'hook done')}`] } };
    box.put(
      'post.json',
      pod(
        who,
        [
          writer('one', FOREVER, { lifecycle: { postStart } }),
          writer('two', `${say(who, 'two started')}; ${FOREVER}`),
        ],
        { volumes },
      ),
    );
    await box.until('one is shown as waiting while it runs', who, found => {
      const one = found.status?.containerStatuses?.find(({ name }) => name === 'one');
      return one?.state?.waiting !== undefined && box.inspect(who, 'one')[0]?.State.Running;
    });
    writeFileSync(`${diary}/go`, '');
    await box.ready(who);
    await eventually('both have spoken', () => linesOf(who).length === 2);
    assert.deepEqual(linesOf(who), ['hook done', 'two started']);
    box.remove('post.json');
    await box.gone(who);
  });

  test('row 111: a failing postStart hook ends the container, with its reason and an event', async () => {
    const postStart = { exec: { command: ['/bin/sh', '-c', 'exit 1'] } };
    box.put(
      'hookfails.json',
      pod('hookfails', [container('app', FOREVER, { lifecycle: { postStart } })]),
    );
    await box.until('PostStartHookError', 'hookfails', found => {
      const [one] = found.status?.containerStatuses ?? [];
      return one?.state?.waiting?.reason === 'PostStartHookError' || (one?.restartCount ?? 0) >= 1;
    });
    await eventually('an event', async () => (await box.events('FailedPostStartHook')).length > 0);
    box.remove('hookfails.json');
    await box.gone('hookfails');
  });

  test('rows 69, 112, T49, T66: preStop runs before the signal and within the grace; not when a container ends by itself', async () => {
    const who = 'pre';
    const preStop = { exec: { command: ['/bin/sh', '-c', `${say(who, 'preStop')}; sleep 1`] } };
    box.put(
      'pre.json',
      pod(
        who,
        [
          writer('app', runsUntilTold(who, 'app'), { lifecycle: { preStop } }),
          writer('ends', 'sleep 0.5', { lifecycle: { preStop } }),
        ],
        { volumes, restartPolicy: 'OnFailure', terminationGracePeriodSeconds: 10 },
      ),
    );
    await eventually('one has ended', () => box.inspect(who, 'ends')[0]?.State.Status === 'exited');
    await eventually('the other runs', () => linesOf(who).includes('app started'));
    assert.deepEqual(linesOf(who), ['app started']);
    box.remove('pre.json');
    await box.gone(who);
    assert.deepEqual(linesOf(who), ['app started', 'preStop', 'app ended']);
  });

  test('row 69: after a hook that takes all of the grace the program still has two seconds for SIGTERM', async () => {
    const who = 'late';
    // Not as a sleep hook: API validation allows none that is longer than the grace.
    const preStop = { exec: { command: ['/bin/sh', '-c', 'sleep 60'] } };
    box.put(
      'late.json',
      pod(who, [writer('app', runsUntilTold(who, 'app', 0.5), { lifecycle: { preStop } })], {
        volumes,
        terminationGracePeriodSeconds: 2,
      }),
    );
    await box.ready(who);
    await eventually('it runs', () => linesOf(who).length === 1);
    box.remove('late.json');
    await box.gone(who);
    assert.deepEqual(linesOf(who), ['app started', 'app ended']);
  });

  test('acceptance 10, row 72 better: a file deleted while the agent was away: its hook and its grace are honoured', async () => {
    const who = 'away';
    const preStop = { exec: { command: ['/bin/sh', '-c', say(who, 'preStop')] } };
    box.put(
      'away.json',
      pod(who, [writer('app', runsUntilTold(who, 'app', 3), { lifecycle: { preStop } })], {
        volumes,
        terminationGracePeriodSeconds: 20,
      }),
    );
    await box.ready(who);
    await eventually('it runs', () => linesOf(who).length === 1);
    await box.stop('SIGKILL');
    box.remove('away.json');
    await box.start();
    await box.gone(who);
    assert.deepEqual(linesOf(who), ['app started', 'preStop', 'app ended']);
  });

  test('row 89, T22: exit codes decide: 42 restarts under Never, others do not', async () => {
    const restartPolicyRules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }];
    const script = '[ -e /diary/rule ] && exit 7; touch /diary/rule; exit 42';
    box.put(
      'rule.json',
      pod('rule', [writer('app', script, { restartPolicy: 'Never', restartPolicyRules })], {
        volumes,
        restartPolicy: 'Never',
      }),
    );
    const found = await box.phase('rule', 'Failed');
    assert.equal(found.status?.containerStatuses?.[0]?.restartCount, 1);
    assert.equal(found.status.containerStatuses[0].state?.terminated?.exitCode, 7);
    box.remove('rule.json');
  });

  test('row 189: a deadline ends the pod: Failed, DeadlineExceeded, for good', async () => {
    box.put('deadline.json', pod('deadline', undefined, { activeDeadlineSeconds: 2 }));
    const found = await box.phase('deadline', 'Failed');
    assert.equal(found.status?.reason, 'DeadlineExceeded');
    await eventually('nothing runs', () =>
      box.inspect('deadline').every(one => !one.State.Running),
    );
    await box.restart();
    await box.phase('deadline', 'Failed');
    assert.ok(box.inspect('deadline').every(one => !one.State.Running));
    box.remove('deadline.json');
  });

  test('row 79, P17 better: a finished job whose containers were removed does not run again, over a restart neither', async () => {
    const who = 'job2';
    box.put(
      'job2.json',
      pod(who, [writer('app', say(who, 'ran'))], { volumes, restartPolicy: 'Never' }),
    );
    await box.phase(who, 'Succeeded');
    await box.stop();
    const ids = box.inspect(who).map(one => one.Id);
    if (ids.length > 0) docker('rm', '-f', ...ids);
    await box.start();
    await box.phase(who, 'Succeeded');
    box.put('sign.json', pod('sign'));
    await box.ready('sign');
    assert.deepEqual(linesOf(who), ['ran']);
    assert.equal((await box.pod(who))?.metadata?.name, `${who}-${NODE}`);
    box.remove('job2.json');
    box.remove('sign.json');
  });
});
