/**
 * Probes where they meet hooks, sidecars, the end of a pod and the host's network. Each test names the row of the kubelet's
 * behaviour, or the kubelet's own test, that it covers. Pods write what happens to them into a folder of the host.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { Server as GrpcServer, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { HEALTH_CHECK } from '../../../agent/probes/grpc.js';
import { BlackBox, container, FOREVER, pod } from '../../support/black-box.js';
import { noEngine } from '../../support/docker.js';
import { eventually } from '../../support/wait.js';
import { listen } from '../../unit/probes/world.js';

/** Long enough for an exec on a machine that is busy: a time-out would be a failure that nobody meant. */
const quick = { periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 10 };
const exec = (script: string) => ({ exec: { command: ['/bin/sh', '-c', script] } });

describe('probes and hooks together, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  const diary = box.path('diary');
  const volumes = [{ name: 'diary', hostPath: { path: diary } }];
  const volumeMounts = [{ name: 'diary', mountPath: '/diary' }];
  const writer = (name: string, script: string, more: Record<string, unknown> = {}) =>
    container(name, script, { volumeMounts, ...more });
  const say = (who: string, line: string) => `echo "${line}" >> /diary/${who}`;
  const linesOf = (who: string) => {
    try {
      return readFileSync(`${diary}/${who}`, 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  };
  const count = (who: string, line: string) => linesOf(who).filter(one => one === line).length;

  before(async () => {
    mkdirSync(diary);
    await box.start();
  });
  after(() => box.close());

  for (const kind of ['liveness', 'startup'] as const) {
    test(`T50: preStop runs when the ${kind} probe fails, then the container is started again`, async () => {
      const who = `stop-${kind}`;
      const script = `${say(who, 'started')}; ${FOREVER}`;
      const more = {
        [`${kind}Probe`]: { ...exec(`grep -q preStop /diary/${who}`), ...quick },
        lifecycle: { preStop: exec(say(who, 'preStop')) },
      };
      box.put(`${who}.json`, pod(who, [writer('app', script, more)], { volumes }));
      await eventually('started again', () => count(who, 'started') === 2);
      assert.deepEqual(linesOf(who), ['started', 'preStop', 'started']);
      assert.equal((await box.ready(who)).status?.containerStatuses?.[0]?.restartCount, 1);
      box.remove(`${who}.json`);
      await box.gone(who);
    });
  }

  test('row 109, T51: while preStop runs readiness is asked on and can turn, liveness is not asked', async () => {
    const who = 'ending';
    // Until readiness was asked that often; its period is that of liveness.
    const asked = `sed 1,/preStop/d /diary/${who} | grep -c ready`;
    const hook = `${say(who, 'preStop')}; until [ "$(${asked})" -ge 4 ]; do sleep 0.1; done`;
    const more = {
      livenessProbe: { ...exec(say(who, 'live')), ...quick },
      readinessProbe: { ...exec(`${say(who, 'ready')}; test ! -e /tmp/ending`), ...quick },
      lifecycle: { preStop: exec(`touch /tmp/ending; ${hook}`) },
    };
    box.put(
      'ending.json',
      pod(who, [writer('app', FOREVER, more)], { volumes, terminationGracePeriodSeconds: 60 }),
    );
    await box.ready(who);
    await eventually('both are asked', () => count(who, 'live') > 0 && count(who, 'ready') > 0);
    box.remove('ending.json');
    await eventually('the hook runs', () => count(who, 'preStop') === 1);
    await eventually('it is not ready any more', async () =>
      (await box.pods())
        .find(({ metadata }) => metadata?.name?.startsWith(who))
        ?.status?.containerStatuses?.some(({ ready }) => !ready),
    );
    await box.gone(who);
    const since = linesOf(who).slice(linesOf(who).indexOf('preStop') + 1);
    assert.ok(since.filter(line => line === 'ready').length >= 4, since.join());
    // One that was under way when the pod began to end may have its say.
    assert.ok(since.filter(line => line === 'live').length <= 1, since.join());
  });

  test('T57: a sidecar whose startup probe fails gets its preStop, and what comes next does not start', async () => {
    const who = 'side-startup';
    const more = {
      restartPolicy: 'Always',
      startupProbe: { ...exec('false'), ...quick },
      lifecycle: { preStop: exec(say(who, 'preStop')) },
    };
    box.put(
      `${who}.json`,
      pod(who, [writer('app', `${say(who, 'app')}; ${FOREVER}`)], {
        volumes,
        initContainers: [writer('side', FOREVER, more)],
      }),
    );
    await eventually('its hook ran', () => count(who, 'preStop') > 0);
    await box.until('started again', who, found =>
      found.status?.initContainerStatuses?.some(({ restartCount }) => restartCount > 0),
    );
    assert.equal(count(who, 'app'), 0);
    box.remove(`${who}.json`);
    await box.gone(who);
  });

  test('T57, T65: a sidecar is started again when its liveness probe fails, and the app runs beside it', async () => {
    const who = 'side-live';
    const more = {
      restartPolicy: 'Always',
      startupProbe: { ...exec('true'), ...quick },
      livenessProbe: { ...exec('test ! -e /tmp/sick'), ...quick },
      readinessProbe: { ...exec('true'), ...quick },
    };
    const initContainers = [writer('side', FOREVER, more)];
    box.put('side.json', pod(who, [container('app')], { volumes, initContainers }));
    await box.ready(who);
    const app = box.running(who, 'app').Id;
    const { Id } = box.running(who, 'side');
    box.exec(who, 'side', 'touch', '/tmp/sick');
    await eventually('started again', () => box.running(who, 'side').Id !== Id);
    assert.equal(box.running(who, 'app').Id, app);
    assert.match((await box.ready(who)).status?.initContainerStatuses?.[0]?.name ?? '', /side/);
    box.remove('side.json');
    await box.gone(who);
  });

  test('rows 100, 104, 106, P21: with the host’s network probes and hooks go to the loopback: grpc, redirects, httpGet', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      if (request.url !== '/away') return response.end('ok');
      return response.writeHead(302, { location: 'http://elsewhere.example/' }).end();
    });
    const port = await listen(server);
    let status = 1;
    const grpc = new GrpcServer();
    const plain = (value: Buffer) => value;
    grpc.addService(
      {
        check: {
          path: HEALTH_CHECK,
          requestStream: false,
          responseStream: false,
          requestSerialize: plain,
          requestDeserialize: plain,
          responseSerialize: plain,
          responseDeserialize: plain,
        },
      },
      {
        check: (_: unknown, reply: sendUnaryData<Buffer>) => reply(null, Buffer.from([8, status])),
      },
    );
    const grpcPort = await new Promise<number>((resolve, reject) =>
      grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    try {
      const more = {
        readinessProbe: { grpc: { port: grpcPort }, ...quick },
        livenessProbe: { httpGet: { path: '/away', port }, ...quick },
        lifecycle: {
          postStart: { httpGet: { path: '/post', port } },
          preStop: { httpGet: { path: '/pre', port, scheme: 'HTTPS' } },
        },
      };
      box.put('host.json', pod('host', [container('app', FOREVER, more)], { hostNetwork: true }));
      const found = await box.ready('host');
      await eventually('the redirect is told', async () =>
        (await box.events('ProbeWarning')).some(({ message }) => /redirects/.test(message ?? '')),
      );
      assert.equal(found.status?.containerStatuses?.[0]?.restartCount, 0);
      status = 2;
      await box.until('unready', 'host', ({ status: now }) =>
        now?.containerStatuses?.some(({ ready }) => !ready),
      );
      await eventually('an event says why', async () =>
        (await box.events('Unhealthy')).some(({ message }) => /NOT_SERVING/.test(message ?? '')),
      );
      box.remove('host.json');
      await box.gone('host');
      assert.equal(asked[0], '/post');
      assert.equal(asked.at(-1), '/pre');
    } finally {
      server.close();
      grpc.forceShutdown();
    }
  });
});
