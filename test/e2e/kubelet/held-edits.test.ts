/**
 * Edits that wait, black box: while the image of a new version cannot be had the version before goes on in full, after a
 * kill -9 of the agent too. A real engine, a real registry on the loopback; looked at through files, the docker CLI, the
 * agent's own commands and the node's API.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { BlackBox, container, pod } from '../../support/black-box.js';
import { docker, ensureTestImage, noEngine } from '../../support/docker.js';
import { noRegistry, startRegistry, type TestRegistry } from '../../support/registry.js';
import { eventually } from '../../support/wait.js';

const AGENT = join(import.meta.dirname, '../../../../agent/bin/flotilla-agent.js');

const exec = (script: string) => ({ exec: { command: ['sh', '-c', script] } });
const often = { periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 10 };
const SUPERVISED = {
  livenessProbe: { ...exec('! test -e /tmp/sick'), ...often },
  readinessProbe: { ...exec('! test -e /tmp/unready'), ...often },
  volumeMounts: [{ name: 'words', mountPath: '/words' }],
};

/** An edit of the container alone, and one that makes another pod of it. */
const KINDS = [
  ['inplace', {}],
  ['another', { hostname: 'moved' }],
] as const;

/** What the tests do with one agent. */
class Subject {
  readonly box = new BlackBox();

  agent(...args: string[]): string {
    const command = [AGENT, ...args, '--data-dir', this.box.dir];
    return execFileSync(process.execPath, command, { encoding: 'utf8' });
  }

  /** By its preStop hook. */
  lastWords(name: string): string {
    return readFileSync(this.box.path(`${name}.words`), 'utf8');
  }

  /** `spec` makes another pod of it. */
  put(name: string, more: object = {}, spec: object = {}): void {
    const lifecycle = { preStop: exec(`echo bye >> /words/${name}.words`) };
    const app = container('app', undefined, { ...SUPERVISED, lifecycle, ...more });
    const volumes = [{ name: 'words', hostPath: { path: this.box.dir } }];
    // The hook is an exec: on a busy machine a second is not enough for it.
    const terminationGracePeriodSeconds = 20;
    this.box.put(
      `${name}.yaml`,
      pod(name, [app], { volumes, terminationGracePeriodSeconds, ...spec }),
    );
  }

  /** Resolves with its uid. */
  async begin(name: string): Promise<string> {
    this.put(name);
    const { metadata } = await this.box.ready(name);
    return metadata?.uid ?? '';
  }

  /** What runs; its successor may stand beside it. */
  async former(uid: string): Promise<Pod> {
    const found = (await this.box.pods()).find(({ metadata }) => metadata?.uid === uid);
    if (found === undefined) throw new Error(`no pod ${uid}`);
    return found;
  }

  isHeld(uid: string): Promise<Pod> {
    return eventually('the edit is held', async () => {
      const found = await this.former(uid);
      const told = conditionOf(found, 'UpdateWaiting');
      if (told?.reason !== 'ErrImagePull') throw new Error(JSON.stringify(found.status));
      assert.match(told.message ?? '', /^spec\.containers\[0\]\.image: image "127\.0\.0\.1/);
      return found;
    });
  }

  async isReady(uid: string): Promise<void> {
    await eventually('it is ready', async () => {
      return conditionOf(await this.former(uid), 'Ready')?.status === 'True';
    });
  }

  /** Another run of it is there than this one. */
  async isBegunAnew(name: string, from: string): Promise<void> {
    await eventually(`${name} is begun anew`, () => this.box.running(name, 'app').Id !== from);
  }
}

const conditionOf = (found: Pod, type: string) =>
  found.status?.conditions?.find(one => one.type === type);

function isShownAsItIs({ metadata, status }: Pod): void {
  const [app] = status?.containerStatuses ?? [];
  assert.equal(metadata?.deletionTimestamp, undefined);
  assert.equal(status?.phase, 'Running');
  assert.notEqual(app?.state?.running, undefined, JSON.stringify(app));
  assert.equal(app?.lastState?.running, undefined);
}

const SKIP = noEngine() || noRegistry();

describe('edits that wait for an image, black box', { skip: SKIP, concurrency: 3 }, () => {
  const [calm, killed] = [new Subject(), new Subject()];
  const images = new Set<string>();
  let registry: TestRegistry;

  before(async () => {
    registry = await startRegistry({ password: false });
    await Promise.all([calm.box.start(), killed.box.start()]);
  });
  after(async () => {
    await Promise.all([calm.box.close(), killed.box.close()]);
    registry.close();
    for (const image of images) docker('image', 'rm', image);
  });

  for (const [name, spec] of KINDS) {
    test(`P2, ${name}: what runs is shown and restarted; the edit begins when the image comes`, async () => {
      const { box } = calm;
      const image = `${registry.host}/${name}:1`;
      const uid = await calm.begin(name);
      const { Id } = box.running(name, 'app');
      calm.put(name, { image }, spec);
      isShownAsItIs(await calm.isHeld(uid));
      await calm.isReady(uid);
      assert.equal(box.running(name, 'app').Id, Id);
      assert.match(calm.agent('pods'), new RegExp(`${name}-n1 +1/1 +Running`));
      assert.match(calm.agent('describe', name), /UpdateWaiting +True +\S+ +ErrImagePull/);
      assert.match(calm.agent('plan'), new RegExp(`default/${name}-n1: .*waits: ErrImagePull: `));
      docker('kill', Id);
      await calm.isBegunAnew(name, Id);
      images.add(registry.push(ensureTestImage(), `${name}:1`));
      calm.agent('retry', name);
      await eventually('the edit runs', () => box.running(name, 'app').Config.Image === image);
      const ready = await box.ready(name);
      assert.equal(conditionOf(ready, 'UpdateWaiting'), undefined);
      box.remove(`${name}.yaml`);
      await box.gone(name);
    });
  }

  test('P2: after kill -9 of the agent too it is probed; taken back the edit never was, removed all ends in order', async () => {
    const { box } = killed;
    const uids = await Promise.all(KINDS.map(([name]) => killed.begin(name)));
    for (const [name, spec] of KINDS) {
      killed.put(name, { image: `${registry.host}/never:1` }, spec);
    }
    await Promise.all(uids.map(uid => killed.isHeld(uid)));
    const ids = () => KINDS.map(([name]) => box.running(name, 'app').Id);
    const first = ids();
    await box.restart('SIGKILL');
    for (const found of await Promise.all(uids.map(uid => killed.isHeld(uid))))
      isShownAsItIs(found);
    await Promise.all(uids.map(uid => killed.isReady(uid)));
    assert.deepEqual(ids(), first);
    for (const id of first) docker('exec', id, 'touch', '/tmp/unready');
    await eventually('their readiness is asked', async () => {
      const found = await Promise.all(uids.map(uid => killed.former(uid)));
      return found.every(one => conditionOf(one, 'Ready')?.status === 'False');
    });
    for (const id of first) docker('exec', id, 'touch', '/tmp/sick');
    await Promise.all(KINDS.map(([name], at) => killed.isBegunAnew(name, first[at] ?? '')));
    for (const [name] of KINDS) assert.equal(killed.lastWords(name), 'bye\n');
    const second = ids();
    killed.put('inplace');
    await eventually('nothing waits', async () => {
      const found = await killed.former(uids[0] ?? '');
      return conditionOf(found, 'UpdateWaiting') === undefined;
    });
    box.remove('another.yaml');
    await box.gone('another');
    assert.equal(killed.lastWords('another'), 'bye\nbye\n');
    assert.equal(box.running('inplace', 'app').Id, second[0]);
    assert.ok(!killed.agent('plan').includes('waits'));
  });
});
