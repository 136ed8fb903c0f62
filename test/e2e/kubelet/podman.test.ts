/**
 * The agent over Podman's Docker-like socket as a black box: what Podman does otherwise, or users of `kube play` miss. The rest of the
 * black-box suite runs against Podman too, with `DOCKER_HOST` and `FLOTILLA_ENGINE_SOCKET` set to its socket.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, FOREVER, pod } from '../../support/black-box.js';
import {
  importTestImage,
  noPodman,
  startPodman,
  type PodmanService,
} from '../../support/podman.js';
import { eventually } from '../../support/wait.js';

describe('Podman, black box', { skip: noPodman(), concurrency: 3 }, () => {
  let service: PodmanService | undefined;
  let box: BlackBox;
  before(async () => {
    service = await startPodman();
    importTestImage(service);
    // For the docker CLI of this process and for the agent that it starts.
    process.env['DOCKER_HOST'] = `unix://${service.socketPath}`;
    process.env['FLOTILLA_ENGINE_SOCKET'] = service.socketPath;
    box = await new BlackBox().start();
  });
  after(async () => {
    try {
      // There is none when the engine did not start.
      await (box as BlackBox | undefined)?.close();
    } finally {
      await service?.close();
    }
  });

  test('rows 132, 133, 140: emptyDir in memory, a mount that follows the host, a device', async () => {
    const shared = box.path('shared');
    mkdirSync(join(shared, 'later'), { recursive: true });
    execFileSync('mount', ['--bind', shared, shared]);
    execFileSync('mount', ['--make-shared', shared]);
    box.put(
      'volumes.yaml',
      pod(
        'volumes',
        [
          container('app', undefined, {
            volumeMounts: [
              { name: 'memory', mountPath: '/memory' },
              { name: 'shared', mountPath: '/shared', mountPropagation: 'HostToContainer' },
              { name: 'null', mountPath: '/dev/other' },
            ],
          }),
        ],
        {
          volumes: [
            { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
            { name: 'shared', hostPath: { path: shared } },
            { name: 'null', hostPath: { path: '/dev/null', type: 'CharDevice' } },
          ],
        },
      ),
    );
    await box.ready('volumes');
    assert.match(box.exec('volumes', 'app', '/bin/df', '-k', '/memory'), /tmpfs\s+4096/);
    box.exec('volumes', 'app', '/bin/sh', '-c', 'echo x > /dev/other');
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(shared, 'later')]);
    writeFileSync(join(shared, 'later/file'), 'seen');
    assert.equal(box.exec('volumes', 'app', '/bin/cat', '/shared/later/file'), 'seen');
    box.remove('volumes.yaml');
    await box.gone('volumes');
    execFileSync('umount', ['-R', shared]);
  });

  test('rows 92, 96, 112, 116: a sidecar before the app, probes without systemd, a hook before the end', async () => {
    const out = box.path('out');
    mkdirSync(out, { mode: 0o777 });
    const mount = { volumeMounts: [{ name: 'out', mountPath: '/out' }] };
    const app = container('app', `echo app >> /out/order; touch /tmp/ok; ${FOREVER}`, {
      ...mount,
      livenessProbe: {
        exec: { command: ['/bin/test', '-e', '/tmp/ok'] },
        periodSeconds: 1,
        failureThreshold: 3,
        timeoutSeconds: 10,
      },
      readinessProbe: {
        exec: { command: ['/bin/test', '-e', '/tmp/ok'] },
        periodSeconds: 1,
        timeoutSeconds: 10,
      },
      lifecycle: { preStop: { exec: { command: ['/bin/sh', '-c', 'echo hook >> /out/order'] } } },
    });
    const side = container(
      'side',
      `trap 'echo side-ends >> /out/order; exit 0' TERM; echo side >> /out/order; while :; do sleep 3600 & wait; done`,
      { ...mount, restartPolicy: 'Always' },
    );
    const volumes = [{ name: 'out', hostPath: { path: out } }];
    box.put(
      'life.yaml',
      pod('life', [app], { initContainers: [side], volumes, terminationGracePeriodSeconds: 5 }),
    );
    await box.ready('life');
    const first = box.running('life', 'app').Id;
    const other = box.running('life', 'side').Id;
    box.exec('life', 'app', '/bin/rm', '/tmp/ok');
    await eventually('liveness restarts it', () => box.running('life', 'app').Id !== first);
    await box.ready('life');
    assert.equal(box.running('life', 'side').Id, other);
    const order = () => box.exec('life', 'side', '/bin/cat', '/out/order').split('\n');
    assert.deepEqual(order(), ['side', 'app', 'hook', 'app']);
    box.remove('life.yaml');
    await box.gone('life');
  });

  test('rows 84, 125, 151, 197: back-off, a missing image, limits, memory that is over', async () => {
    box.put('crash.yaml', pod('crash', [container('app', 'exit 3')]));
    box.put('image.yaml', pod('image', [container('app', FOREVER, { image: '127.0.0.1:1/x:1' })]));
    box.put(
      'limits.yaml',
      pod('limits', [
        container('app', FOREVER, { resources: { limits: { cpu: '250m', memory: '32Mi' } } }),
      ]),
    );
    box.put(
      'oom.yaml',
      pod(
        'oom',
        [
          container('app', 'x=$(dd if=/dev/zero bs=1M count=64 | tr "\\\\0" x); echo $x', {
            resources: { limits: { memory: '16Mi' } },
          }),
        ],
        { restartPolicy: 'Never' },
      ),
    );
    const crash = await box.waiting('crash', 'CrashLoopBackOff');
    assert.equal(crash.status?.phase, 'Running');
    await box.waiting('image', 'ErrImagePull');
    await box.ready('limits');
    const { CpuShares, CpuQuota, Memory } = box.running('limits', 'app').HostConfig;
    assert.deepEqual([CpuShares, CpuQuota, Memory], [256, 25_000, 2 ** 25]);
    const oom = await box.phase('oom', 'Failed');
    const { exitCode } = oom.status?.containerStatuses?.[0]?.state?.terminated ?? {};
    assert.equal(exitCode, 137);
    for (const name of ['crash', 'image', 'limits', 'oom']) box.remove(`${name}.yaml`);
    await Promise.all(['crash', 'image', 'limits', 'oom'].map(name => box.gone(name)));
  });
});
