/**
 * What a pod's status says on a real Docker Engine: last words, init containers, counts, and that a restart of the
 * agent moves nothing of it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  docker,
  ensureTestImage,
  noEngine,
  removeContainers,
  TEST_IMAGE,
} from '../support/docker.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';
import type { Pod } from '../../protocol/pod.js';

const AGENT = 'node';

interface Program {
  readonly name: string;
  readonly script: string;
  readonly more?: Record<string, unknown>;
}

function manifest(
  name: string,
  containers: readonly Program[],
  spec: Record<string, unknown> = {},
  init: readonly Program[] = [],
): string {
  const made = (programs: readonly Program[]) =>
    programs.map(({ name: container, script, more = {} }) => ({
      name: container,
      image: TEST_IMAGE,
      command: ['sh', '-c', script],
      ...more,
    }));
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...spec,
      ...(init.length === 0 ? {} : { initContainers: made(init) }),
      containers: made(containers),
    },
  });
}

const FALLBACK = { terminationMessagePolicy: 'FallbackToLogsOnError' };

describe('the status of pods', { skip: noEngine() }, () => {
  const play = new Playground();

  before(() => {
    ensureTestImage();
    play.write(
      `${AGENT}/manifests/words.json`,
      manifest(
        'words',
        [
          { name: 'plain', script: 'echo -n bye > /dev/termination-log' },
          {
            name: 'long',
            script: 'head -c 5000 /dev/zero | tr "\\0" x > /tmp/why; exit 1',
            more: { terminationMessagePath: '/tmp/why' },
          },
          { name: 'log', script: 'echo from the log; exit 1', more: FALLBACK },
          { name: 'quiet', script: 'echo from the log; exit 0', more: FALLBACK },
          {
            name: 'file',
            script: 'echo no; echo -n file > /dev/termination-log; exit 1',
            more: FALLBACK,
          },
        ],
        { restartPolicy: 'Never' },
      ),
    );
    play.write(
      `${AGENT}/manifests/steps.json`,
      manifest('steps', [{ name: 'app', script: 'sleep 100000' }], {}, [
        { name: 'first', script: 'sleep 1; echo -n prepared > /dev/termination-log' },
      ]),
    );
    play.write(
      `${AGENT}/manifests/crash.json`,
      manifest('crash', [
        { name: 'app', script: 'exit 3' },
        { name: 'beside', script: 'sleep 100000' },
      ]),
    );
    play.startAgent(AGENT);
  });

  after(() => play.close());

  async function pods(): Promise<readonly Pod[]> {
    const shown = await play.agent('pods', '--data-dir', play.path(AGENT), '-o', 'json');
    assert.equal(shown.code, 0, shown.stderr);
    return (JSON.parse(shown.stdout) as { items: Pod[] }).items;
  }

  async function statusOf(name: string) {
    const pod = (await pods()).find(one => one.metadata?.name?.startsWith(`${name}-`));
    return pod?.status ?? {};
  }

  async function container(pod: string, name: string) {
    const { initContainerStatuses = [], containerStatuses = [] } = await statusOf(pod);
    return [...initContainerStatuses, ...containerStatuses].find(one => one.name === name);
  }

  const until = async (pod: string, phase: string) =>
    eventually(`${pod} is ${phase}`, async () => (await statusOf(pod)).phase === phase, {
      everyMs: 300,
    });

  test('rows 199, 200, T64: the last words of containers', async () => {
    await until('words', 'Failed');
    const words = new Map(
      ((await statusOf('words')).containerStatuses ?? []).map(({ name, state }) => [
        name,
        state?.terminated?.message,
      ]),
    );
    assert.equal(words.get('plain'), 'bye');
    // Five containers share 12 KiB.
    assert.equal(words.get('long'), 'x'.repeat(Math.floor((12 * 1024) / 5)));
    assert.equal(words.get('log'), 'from the log\n');
    assert.equal(words.get('quiet'), undefined);
    assert.equal(words.get('file'), 'file');
  });

  test('T67: an init container’s status, before and after its pod runs', async () => {
    await until('steps', 'Running');
    const first = await container('steps', 'first');
    assert.equal(first?.ready, true);
    assert.equal(first.state?.terminated?.reason, 'Completed');
    assert.equal(first.state.terminated.message, 'prepared');
  });

  test('T62, row 75: a restart of the agent moves nothing', async () => {
    const stable = async () => [await statusOf('words'), await statusOf('steps')];
    await until('steps', 'Running');
    await eventually(
      'the sandbox of the pod that is over has ended',
      async () => (await statusOf('words')).conditions?.[0]?.status === 'False',
      { everyMs: 300 },
    );
    const shown = await stable();
    await play.kill(AGENT, 'SIGTERM');
    play.startAgent(AGENT);
    await eventually('the agent answers', async () => (await pods()).length > 0);
    assert.deepEqual(await stable(), shown);
  });

  test('row 90: a count does not fall when what ended was removed', async () => {
    const before = await eventually(
      'a crash loop',
      async () => {
        const app = await container('crash', 'app');
        return app?.state?.waiting?.reason === 'CrashLoopBackOff' && app.restartCount > 0
          ? app.restartCount
          : null;
      },
      { everyMs: 300 },
    );
    const owner = `label=flotilla.dev/owner=${play.path(AGENT)}`;
    const name = 'label=io.kubernetes.container.name=app';
    const filters = [owner, name, 'name=_crash-'];
    const shown = filters.flatMap(filter => ['--filter', filter]);
    const ids = docker('ps', '-a', '-q', ...shown).split('\n');
    assert.notEqual(ids[0], '');
    removeContainers(...filters);
    const later = await eventually(
      'it is made again',
      async () => {
        const app = await container('crash', 'app');
        const isNew =
          app?.containerID !== undefined && !ids.some(id => app.containerID?.includes(id));
        return isNew ? app.restartCount : null;
      },
      { everyMs: 300 },
    );
    assert.ok(later > before, `${later} after ${before}`);
  });
});
