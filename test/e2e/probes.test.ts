/** Probes and hooks against containers of a real Docker Engine: T45, T65, T66, kubelet behaviour rows 96, 102, 103, 105, 110 to 114. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HookError } from '../../agent/pods/health.js';
import { openHookRunner } from '../../agent/probes/hooks.js';
import { openProbeRun } from '../../agent/probes/probe.js';
import { openProber, type CountingProber } from '../../agent/probes/prober.js';
import type { Container } from '../../protocol/pod.js';
import { startedOn } from '../contracts/runtime-case.js';
import { REAL_CLOCK } from '../support/clock.js';
import { docker, noEngine } from '../support/docker.js';
import { dockerSubject } from '../support/docker-subject.js';
import { eventually } from '../support/wait.js';

const skip = noEngine();
const silent = () => undefined;
const log = { info: silent, warn: silent, error: silent };

/** Serves what is in /tmp; ends when it is told to. */
const SERVES = 'trap "exit 0" TERM; httpd -f -p 8080 -h /tmp & wait $!';

describe('on a real Docker Engine', { skip }, () => {
  let subject: ReturnType<typeof dockerSubject>;
  let prober: CountingProber;
  const events: string[] = [];

  before(() => {
    subject = dockerSubject();
    prober = openProber({
      run: openProbeRun({ containers: subject.runtime, clock: REAL_CLOCK }),
      clock: REAL_CLOCK,
      log,
      random: () => 0,
      remembered: () => null,
    });
    prober.onEvent((_, { reason, message, container }) => {
      events.push(`${container ?? ''} ${reason}: ${message}`);
    });
  });
  after(async () => {
    await prober.stop();
    subject.close();
  });

  async function running(script: string, fields: Partial<Container>) {
    const { pod, id } = await startedOn(subject, script);
    const { sandboxes, containers } = await subject.runtime.observe();
    const observed = containers.find(container => container.id === id);
    const host = sandboxes.find(sandbox => sandbox.id === observed?.sandboxId)?.ip ?? '';
    const container: Container = { name: 'main', image: subject.image, ...fields };
    const startedAt = observed?.startedAt?.getTime() ?? 0;
    return { id, host, target: { id, pod, container, startedAt, host, ending: false } };
  }
  const health = (id: string) => prober.health().get(id);

  test('probes follow what happens in a container', async () => {
    const server = await running(SERVES, {
      ports: [{ name: 'http', containerPort: 8080 }],
      startupProbe: { tcpSocket: { port: 'http' }, periodSeconds: 1, failureThreshold: 60 },
      readinessProbe: {
        httpGet: { port: 'http', path: '/ready' },
        periodSeconds: 1,
        timeoutSeconds: 20,
        failureThreshold: 1,
      },
      livenessProbe: {
        exec: { command: ['test', '!', '-e', '/tmp/dead'] },
        periodSeconds: 1,
        timeoutSeconds: 20,
        failureThreshold: 2,
      },
    });
    const slow = await running('sleep 100000', {
      livenessProbe: {
        exec: { command: ['sleep', '9753'] },
        periodSeconds: 1,
        failureThreshold: 2,
        terminationGracePeriodSeconds: 3,
      },
    });
    prober.watch([server.target, slow.target]);
    assert.deepEqual(health(server.id), { started: false, ready: false, kill: null });

    await eventually('started by tcp', () => health(server.id)?.started);
    await eventually('not ready without its page', () =>
      events.includes(
        'main Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 404',
      ),
    );
    assert.equal(health(server.id)?.ready, false);
    docker('exec', server.id, 'touch', '/tmp/ready');
    await eventually('ready by http', () => health(server.id)?.ready);

    const kill = await eventually(
      'killed for a program that takes too long',
      () => health(slow.id)?.kill,
    );
    assert.deepEqual(kill, {
      probe: 'liveness',
      message: 'Container main failed liveness probe',
      graceSeconds: 3,
    });
    assert.ok(events.includes('main Unhealthy: Liveness probe failed: command timed out after 1s'));
    await eventually('the program does not go on', () => !docker('top', slow.id).includes('9753'));

    docker('exec', server.id, 'touch', '/tmp/dead');
    await eventually('killed by exec', () => health(server.id)?.kill);
    assert.ok(events.includes('main Unhealthy: Liveness probe failed: command exited with code 1'));
    assert.equal(health(server.id)?.ready, true);
  });

  test('T45: many probes at once on a container that is well kill nobody', async () => {
    const server = await running(SERVES, {});
    const every = { periodSeconds: 1, timeoutSeconds: 20, failureThreshold: 1 };
    const targets = Array.from({ length: 40 }, (_, index) => {
      const livenessProbe =
        index % 10 === 0
          ? { exec: { command: ['true'] }, ...every }
          : index % 2 === 0
            ? { tcpSocket: { port: 8080 }, ...every }
            : { httpGet: { port: 8080, path: '/' }, ...every };
      return {
        ...server.target,
        container: { ...server.target.container, name: `c${index}`, livenessProbe },
      };
    });
    docker('exec', server.id, 'touch', '/tmp/index.html');
    const run = openProbeRun({ containers: subject.runtime, clock: REAL_CLOCK });
    const never = new AbortController().signal;
    await eventually('the server answers', async () => {
      const answers = targets.slice(1, 3).map(target => run('liveness', target, never));
      return (await Promise.all(answers)).every(({ is }) => is === 'success');
    });
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(targets.map(target => run('liveness', target, never)));
      assert.deepEqual(
        answers.filter(({ is }) => is !== 'success'),
        [],
      );
    }
  });

  test('hooks reach their container', async () => {
    const server = await running(SERVES, { ports: [{ name: 'http', containerPort: 8080 }] });
    const hooks = openHookRunner({ containers: subject.runtime, clock: REAL_CLOCK });
    const target = { id: server.id, container: server.target.container, host: server.host };
    const run = (handler: Parameters<typeof hooks.run>[0], signal = new AbortController().signal) =>
      hooks.run(handler, target, signal);

    await run({ exec: { command: ['sh', '-c', 'echo "$(HOME)" > /tmp/hook'] } });
    assert.equal(docker('exec', server.id, 'cat', '/tmp/hook'), '');
    await assert.rejects(run({ exec: { command: ['false'] } }), HookError);
    await assert.rejects(run({ exec: { command: ['no-such-program'] } }), /cannot be executed/);
    await eventually('the server answers', async () => {
      await run({ httpGet: { port: 'http', path: '/hook' } });
      return true;
    });
    await run({ httpGet: { port: 'http', path: '/gone' } });
    await assert.rejects(run({ httpGet: { port: 1 } }), HookError);
    const grace = new AbortController();
    const cut = run({ exec: { command: ['sleep', '8642'] } }, grace.signal);
    await eventually('the hook runs', () => docker('top', server.id).includes('8642'));
    grace.abort();
    await cut;
    await eventually('the hook is killed', () => !docker('top', server.id).includes('8642'));
  });
});
