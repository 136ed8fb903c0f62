/**
 * Probes as a person at the node sees them. Each test names the row of the kubelet's behaviour that it covers.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, FOREVER, pod } from '../../support/black-box.js';
import { noEngine } from '../../support/docker.js';
import { freePort } from '../../support/ports.js';
import { eventually } from '../../support/wait.js';

/** Long enough for an exec on a machine that is busy: a time-out would be a failure that nobody meant. */
const quick = { periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 10 };
const exec = (script: string) => ({ exec: { command: ['/bin/sh', '-c', script] } });
/** busybox' httpd on port 8080, serving what lies in /www. */
const HTTPD = `mkdir -p /www; echo ok > /www/good; httpd -p 8080 -h /www; ${FOREVER}`;

describe('probes, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  before(async () => {
    await box.start();
  });
  after(() => box.close());

  const readyOf = (name: string, only = 'app') =>
    box.pod(name).then(found => found?.status?.containerStatuses?.find(one => one.name === only));

  test('rows 92, 95, 108: not ready until the first success, ready by it, unready by failures, never restarted for it', async () => {
    const readinessProbe = { ...exec('test -e /tmp/ready'), ...quick };
    box.put('ready.json', pod('ready', [container('app', FOREVER, { readinessProbe })]));
    await box.phase('ready', 'Running');
    await eventually('an event says so', async () =>
      (await box.events('Unhealthy')).some(one => /Readiness probe failed/.test(one.message ?? '')),
    );
    assert.equal((await readyOf('ready'))?.ready, false);
    box.exec('ready', 'app', 'touch', '/tmp/ready');
    await box.ready('ready');
    box.exec('ready', 'app', 'rm', '/tmp/ready');
    await box.until('unready', 'ready', found =>
      found.status?.conditions?.some(
        one =>
          one.type === 'Ready' && one.status === 'False' && one.reason === 'ContainersNotReady',
      ),
    );
    assert.equal((await readyOf('ready'))?.restartCount, 0);
    box.remove('ready.json');
    await box.gone('ready');
  });

  test('rows 96, 108: a liveness failure restarts that container alone, with an event', async () => {
    const livenessProbe = { ...exec('test ! -e /tmp/sick'), ...quick };
    box.put(
      'live.json',
      pod('live', [container('app', FOREVER, { livenessProbe }), container('beside')]),
    );
    await box.ready('live');
    const beside = box.running('live', 'beside').Id;
    const { Id } = box.running('live', 'app');
    box.exec('live', 'app', 'touch', '/tmp/sick');
    await eventually('restarted', () => box.running('live', 'app').Id !== Id);
    assert.equal(box.running('live', 'beside').Id, beside);
    await eventually('an event says why', async () =>
      (await box.events('Killing')).some(one =>
        /failed liveness probe, will be restarted/.test(one.message ?? ''),
      ),
    );
    box.remove('live.json');
    await box.gone('live');
  });

  test('row 93: until the startup probe passes nothing else is asked; then readiness at once', async () => {
    const more = {
      startupProbe: { ...exec('test -e /tmp/up'), ...quick, failureThreshold: 1000 },
      livenessProbe: { ...exec('echo x >> /tmp/asked; true'), ...quick },
      readinessProbe: { ...exec('true'), ...quick, periodSeconds: 300 },
    };
    box.put('startup.json', pod('startup', [container('app', FOREVER, more)]));
    await box.phase('startup', 'Running');
    await eventually('the startup probe was asked', async () =>
      (await box.events('Unhealthy')).some(one => /Startup probe failed/.test(one.message ?? '')),
    );
    assert.equal((await readyOf('startup'))?.started, false);
    assert.equal(box.exec('startup', 'app', 'sh', '-c', 'ls /tmp'), '');
    box.exec('startup', 'app', 'touch', '/tmp/up');
    // A readiness period is five minutes: only a probe at once can be this quick.
    await eventually('ready at once', async () => (await readyOf('startup'))?.ready === true);
    assert.equal((await readyOf('startup'))?.started, true);
    box.remove('startup.json');
    await box.gone('startup');
  });

  test('rows 99, 105: httpGet by a named port, and a 404 is a failure', async () => {
    const ports = [{ name: 'web', containerPort: 8080 }];
    const probe = (path: string) => ({ httpGet: { path, port: 'web' }, ...quick });
    box.put(
      'good.json',
      pod('good', [container('app', HTTPD, { ports, readinessProbe: probe('/good') })]),
    );
    box.put(
      'none.json',
      pod('none', [container('app', HTTPD, { ports, readinessProbe: probe('/none') })]),
    );
    await box.ready('good');
    await eventually('the other is told', async () =>
      (await box.events('Unhealthy')).some(one => /statuscode: 404/.test(one.message ?? '')),
    );
    assert.equal((await readyOf('none'))?.ready, false);
    box.remove('good.json');
    box.remove('none.json');
  });

  test('row 104: tcpSocket passes when the port opens', async () => {
    const readinessProbe = { tcpSocket: { port: 8080 }, ...quick };
    const script = `while [ ! -e /tmp/go ]; do sleep 0.1; done; ${HTTPD}`;
    box.put('tcp.json', pod('tcp', [container('app', script, { readinessProbe })]));
    await box.phase('tcp', 'Running');
    assert.equal((await readyOf('tcp'))?.ready, false);
    box.exec('tcp', 'app', 'touch', '/tmp/go');
    await box.ready('tcp');
    box.remove('tcp.json');
    await box.gone('tcp');
  });

  test('rows 102, 103 better: an exec probe that takes too long fails, and its process does not go on', async () => {
    const readinessProbe = { ...exec('exec sleep 4321'), ...quick, timeoutSeconds: 1 };
    box.put('slow.json', pod('slow', [container('app', FOREVER, { readinessProbe })]));
    await eventually('it failed', async () =>
      (await box.events('Unhealthy')).some(
        one => one.involvedObject.name?.startsWith('slow-') === true,
      ),
    );
    box.remove('slow.json');
    await eventually('at most one is left', () => {
      const [one] = box.inspect('slow', 'app');
      if (one?.State.Running !== true) return true;
      return (box.exec('slow', 'app', 'ps').match(/sleep 4321/g) ?? []).length <= 1;
    });
    await box.gone('slow');
  });

  test('row 75, T62 better: over a restart of the agent nothing turns unready', async () => {
    const readinessProbe = { ...exec('true'), ...quick, periodSeconds: 2, initialDelaySeconds: 1 };
    box.put('steady.json', pod('steady', [container('app', FOREVER, { readinessProbe })]));
    const at = (await box.ready('steady')).status?.conditions?.find(one => one.type === 'Ready');
    await box.restart();
    const again = (await box.ready('steady')).status?.conditions?.find(one => one.type === 'Ready');
    assert.equal(again?.lastTransitionTime, at?.lastTransitionTime);
    box.remove('steady.json');
    await box.gone('steady');
  });

  test('row 107: the grace of a probe replaces the pod’s', async () => {
    const livenessProbe = {
      ...exec('test ! -e /tmp/sick'),
      ...quick,
      terminationGracePeriodSeconds: 1,
    };
    const script = "trap '' TERM; while :; do sleep 3600; done";
    box.put(
      'grace.json',
      pod('grace', [container('app', script, { livenessProbe })], {
        terminationGracePeriodSeconds: 300,
      }),
    );
    await box.ready('grace');
    const { Id } = box.running('grace', 'app');
    box.exec('grace', 'app', 'touch', '/tmp/sick');
    await eventually(
      'killed long before the pod’s grace',
      () => box.running('grace', 'app').Id !== Id,
    );
    box.put(
      'grace.json',
      pod('grace', [container('app', script)], { terminationGracePeriodSeconds: 1 }),
    );
    box.remove('grace.json');
  });

  test('rows 105, 106: on the host’s network a probe asks the node itself', async () => {
    const port = await freePort();
    const readinessProbe = { tcpSocket: { port }, ...quick };
    const script = `mkdir -p /www; httpd -p 127.0.0.1:${port} -h /www; ${FOREVER}`;
    const hosted = pod('hosted', [container('app', script, { readinessProbe })], {
      hostNetwork: true,
    });
    box.put('hosted.json', hosted);
    await box.ready('hosted');
    box.remove('hosted.json');
  });

  test('row 220: /containerLogs shows what is asked for, and says in the kubelet’s words what is not there', async () => {
    const script = `echo one; echo two; while [ ! -e /tmp/end ]; do sleep 0.1; done; echo last; exit 1`;
    box.put('said.json', pod('said', [container('app', script), container('beside')]));
    await box.ready('said');
    const logs = (query: string, only = 'app') =>
      box.get(`/containerLogs/default/said/${only}?${query}`);
    await eventually('both lines', async () => (await logs('')).body === 'one\ntwo\n');
    const answers: readonly (readonly [query: string, code: number, body: RegExp])[] = [
      ['tailLines=1', 200, /^two\n$/],
      ['tailLines=0', 200, /^$/],
      ['limitBytes=5', 200, /^one\nt$/],
      ['timestamps=true&tailLines=1', 200, /^\d{4}-\d\d-\d\dT[\d:.]+Z two\n$/],
      ['sinceTime=2999-01-01T00:00:00Z', 200, /^$/],
      ['previous=true', 400, /^previous terminated container "app" in pod "said" not found/],
      ['tailLines=-1', 422, /^Invalid request/],
      ['sinceTime=yesterday', 400, /^Unable to decode query/],
    ];
    for (const [query, code, body] of answers) {
      const answer = await logs(query);
      assert.equal(answer.code, code, `${query}: ${answer.body}`);
      assert.match(answer.body, body, query);
    }
    assert.equal((await logs('', 'none')).code, 404);
    let begun = (): void => {};
    const hasBegun = new Promise<void>(done => (begun = done));
    const path = '/containerLogs/default/said/app?follow=true&tailLines=1';
    const followed = box.get(path, { onData: () => begun() });
    await Promise.race([hasBegun, followed]);
    box.exec('said', 'app', 'touch', '/tmp/end');
    assert.match((await followed).body, /^two\nlast\n$/, 'it ends with its container');
    await eventually('the run before', async () => {
      return (await logs('previous=true&tailLines=1')).body === 'last\n';
    });
    box.remove('said.json');
  });

  test('row 222: probes are counted in /metrics', async () => {
    const { body } = await box.get('/metrics');
    assert.match(body, /^# TYPE prober_probe_total counter$/m);
    assert.match(body, /^prober_probe_total\{.*probe_type="Liveness".*\} [1-9]/m);
  });
});
