/**
 * Images: pull policy, the words of failures, credentials, what is done before the old one is stopped. A real registry on the
 * loopback, with a password and without; everything looked at through files, the docker CLI and the node's API.
 */
import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { chmodSync, writeFileSync } from 'node:fs';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { BlackBox, container, pod } from '../../support/black-box.js';
import { docker, ensureTestImage, noEngine, randomHex } from '../../support/docker.js';
import {
  noRegistry,
  PASSWORD,
  startBrokenRegistry,
  startRegistry,
  USER,
  type TestRegistry,
} from '../../support/registry.js';
import { eventually } from '../../support/wait.js';

const AUTH = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
const JSON_TYPE = 'kubernetes.io/dockerconfigjson';

function waitingOf(found: Pod): { reason: string; message: string } {
  const { reason = '', message = '' } = found.status?.containerStatuses?.[0]?.state?.waiting ?? {};
  return { reason, message };
}

describe('images, black box', { skip: noEngine() || noRegistry(), concurrency: 4 }, () => {
  const box = new BlackBox();
  const mine = new Set<string>();
  let open: TestRegistry;
  let closed: TestRegistry;

  before(async () => {
    [open, closed] = await Promise.all([
      startRegistry({ password: false }),
      startRegistry({ password: true }),
    ]);
    const credentials = box.path('config.json');
    const auths = { [`${closed.host}/ours`]: { auth: AUTH } };
    writeFileSync(credentials, JSON.stringify({ auths }), { mode: 0o600 });
    box.configure({ registryCredentials: credentials });
    await box.start();
  });
  after(async () => {
    await box.close();
    open.close();
    closed.close();
    for (const image of mine) {
      try {
        docker('image', 'rm', image);
      } catch {
        // Never came.
      }
    }
  });

  const push = (registry: TestRegistry, name: string) => {
    const image = registry.push(ensureTestImage(), name);
    mine.add(image);
    return image;
  };
  /** The policy is left to the default unless it is given. */
  const put = (name: string, image: string, more: object = {}, spec: object = {}) =>
    box.put(
      `${name}.yaml`,
      pod(name, [container('app', undefined, { image, imagePullPolicy: undefined, ...more })], {
        ...spec,
      }),
    );
  const remove = async (...names: string[]) => {
    for (const name of names) box.remove(`${name}.yaml`);
    await Promise.all(names.map(name => box.gone(name)));
  };

  test('rows 60, 125, T30: ErrImagePull with the registry’s own sentence, then ImagePullBackOff with it, then the image that came', async () => {
    const image = `${open.host}/late:1`;
    put('late', image);
    const first = waitingOf(await box.waiting('late', 'ErrImagePull'));
    assert.match(first.message, /^manifest for .*\/late:1 not found: manifest unknown/);
    const found = await box.waiting('late', 'ImagePullBackOff');
    const { message } = waitingOf(found);
    assert.equal(message, `Back-off pulling image "${image}": ErrImagePull: ${first.message}`);
    assert.equal(found.status?.phase, 'Pending');
    const wanted = [
      `Failed to pull image "${image}": ${first.message}`,
      'Error: ErrImagePull',
      'Error: ImagePullBackOff',
    ];
    await eventually('events say the same', async () => {
      const said = (await box.events('Failed'))
        .filter(one => one.involvedObject.name === 'late-n1')
        .map(one => one.message ?? '');
      if (wanted.every(text => said.includes(text))) return true;
      throw new Error(said.join());
    });
    push(open, 'late:1');
    const ready = await box.ready('late');
    const [status] = ready.status?.containerStatuses ?? [];
    assert.equal(ready.spec?.containers[0]?.imagePullPolicy, 'IfNotPresent');
    assert.match(status?.imageID ?? '', /^docker-pullable:\/\/.*@sha256:[0-9a-f]{64}$/);
    await remove('late');
  });

  test('row 125: a gateway’s page is RegistryUnavailable, a dead registry ErrImagePull, a name that none can have InvalidImageName', async () => {
    const broken = await startBrokenRegistry(503, '<html>503 Service Unavailable</html>');
    try {
      put('gateway', `${broken.host}/web:1`);
      put('dead', '127.0.0.1:1/web:1');
      put('hex', 'a'.repeat(64));
      const gateway = waitingOf(await box.waiting('gateway', 'RegistryUnavailable'));
      assert.doesNotMatch(gateway.message, /html|HTTP code/);
      const dead = waitingOf(await box.waiting('dead', 'ErrImagePull'));
      assert.match(dead.message, /^Get .*connection refused/);
      await box.waiting('hex', 'InvalidImageName');
    } finally {
      broken.close();
      await remove('gateway', 'dead', 'hex');
    }
  });

  test('row 127: Never waits with ErrImageNeverPull in phase Pending, and starts when the image is brought by hand', async () => {
    const image = `fl-never-${randomHex(4)}:1`;
    put('never', image, { imagePullPolicy: 'Never' });
    const found = await box.waiting('never', 'ErrImageNeverPull');
    assert.equal(found.status?.phase, 'Pending');
    assert.equal(
      waitingOf(found).message,
      `Container image "${image}" is not present with pull policy of Never`,
    );
    docker('tag', ensureTestImage(), image);
    mine.add(image);
    await box.ready('never');
    await remove('never');
  });

  test('row 128: pull secrets of both types, by path and wildcard, beside wrong ones; the node’s own file; nothing else opens', async () => {
    const secret = (name: string, type: string, value: object) => {
      const key = type === JSON_TYPE ? '.dockerconfigjson' : '.dockercfg';
      const file = `secret-${name}.yaml`;
      const stringData = { [key]: JSON.stringify(value) };
      box.put(file, { apiVersion: 'v1', kind: 'Secret', metadata: { name }, type, stringData });
      chmodSync(box.file(file), 0o600);
    };
    const wrong = Buffer.from(`${USER}:wrong`).toString('base64');
    const port = closed.host.split(':')[1] ?? '';
    secret('json', JSON_TYPE, { auths: { [closed.host]: { auth: AUTH } } });
    secret('cfg', 'kubernetes.io/dockercfg', {
      [`https://${closed.host}/v1/`]: { username: USER, password: PASSWORD },
    });
    secret('wrong', JSON_TYPE, { auths: { [closed.host]: { auth: wrong } } });
    secret('path', JSON_TYPE, {
      auths: { [closed.host]: { auth: wrong }, [`${closed.host}/path`]: { auth: AUTH } },
    });
    secret('wild', JSON_TYPE, { auths: { [`127.*.0.1:${port}`]: { auth: AUTH } } });
    const POD_SECRETS: Readonly<Record<string, readonly string[]>> = {
      json: ['json'],
      cfg: ['cfg'],
      both: ['wrong', 'json'],
      path: ['path'],
      wild: ['absent', 'wild'],
      ours: [],
    };
    for (const [name, secrets] of Object.entries(POD_SECRETS)) {
      const image = push(closed, `${name}/web:1`);
      put(name, image, {}, { imagePullSecrets: secrets.map(one => ({ name: one })) });
    }
    const other = push(closed, 'other/web:1');
    put('none', other);
    put('refused', other, {}, { imagePullSecrets: [{ name: 'wrong' }] });
    await Promise.all(Object.keys(POD_SECRETS).map(name => box.ready(name)));
    const none = waitingOf(await box.waiting('none', 'ImagePullBackOff'));
    assert.match(none.message, /no basic auth credentials/);
    const refused = waitingOf(await box.waiting('refused', 'ImagePullBackOff'));
    assert.match(refused.message, /unauthorized: authentication required/);
    const [missing] = await box.events('FailedToRetrieveImagePullSecret');
    assert.match(missing?.message ?? '', /image pull secrets \(absent\);/);
    const told = box.log() + JSON.stringify([await box.pods(), (await box.get('/events')).body]);
    assert.ok(![PASSWORD, AUTH, wrong].some(text => told.includes(text)));
    await remove(...Object.keys(POD_SECRETS), 'none', 'refused');
  });

  test('row 124 better: a registry that never answers holds up no other pod, and its pod ends at once', async () => {
    // The engine does not ask a silent registry for ever.
    const image = push(open, 'quick:1');
    const silent = createServer(() => undefined);
    await new Promise<void>(done => silent.listen(0, '127.0.0.1', done));
    try {
      put('hangs', `127.0.0.1:${(silent.address() as AddressInfo).port}/web:1`);
      await eventually('it is being pulled', async () =>
        (await box.events('Pulling')).some(one => one.involvedObject.name === 'hangs-n1'),
      );
      put('quick', image);
      await box.ready('quick');
      assert.equal(waitingOf((await box.pod('hangs')) ?? {}).reason, 'ContainerCreating');
      box.remove('hangs.yaml');
      await eventually('it is gone', async () => (await box.pod('hangs')) === null);
      await remove('quick');
    } finally {
      silent.close();
    }
  });

  test('an edit to an image that cannot be had leaves what runs: of a container, and of the whole pod', async () => {
    const image = push(open, 'runs:1');
    put('edit', image);
    put('moved', image);
    await Promise.all([box.ready('edit'), box.ready('moved')]);
    const ids = ['edit', 'moved'].map(name => box.running(name, 'app').Id);
    const missing = `${open.host}/missing:1`;
    put('edit', missing);
    put('moved', missing, {}, { hostAliases: [{ ip: '192.0.2.1', hostnames: ['x'] }] });
    const isHeld = ({ status }: Pod) =>
      status?.conditions?.some(
        one => one.type === 'UpdateWaiting' && one.reason === 'ErrImagePull',
      );
    // What became another pod stands beside what runs, and says itself what it waits for.
    await Promise.all([
      box.until('held', 'edit', isHeld),
      box.waiting('moved', 'ImagePullBackOff'),
    ]);
    assert.deepEqual(
      ['edit', 'moved'].map(name => box.running(name, 'app').Id),
      ids,
    );
    const next = push(open, 'next:1');
    put('edit', next);
    await eventually('the edit runs', () => box.running('edit', 'app').Config.Image === next);
    await remove('edit', 'moved');
  });

  test('row 126: a tag is latest or not, a digest is enough; Always asks at every start, IfNotPresent never with the image here', async () => {
    const registry = await startRegistry({ password: false });
    const [latest, tagged] = [push(registry, 'l:latest'), push(registry, 't:1')];
    put('latest', latest);
    put('tagged', tagged);
    try {
      const policies = await Promise.all(
        ['latest', 'tagged'].map(async name => (await box.ready(name)).spec?.containers[0]),
      );
      assert.deepEqual(
        policies.map(one => one?.imagePullPolicy),
        ['Always', 'IfNotPresent'],
      );
    } finally {
      registry.close();
    }
    const [digest = ''] = (
      JSON.parse(docker('image', 'inspect', tagged)) as { RepoDigests: string[] }[]
    )[0]!.RepoDigests.filter(one => one.startsWith(registry.host));
    for (const name of ['latest', 'tagged']) docker('kill', box.running(name, 'app').Id);
    put('digest', digest, { imagePullPolicy: 'IfNotPresent' });
    put('both', `${registry.host}/t:1@${digest.split('@')[1] ?? ''}`);
    const both = await box.ready('both');
    assert.equal(both.spec?.containers[0]?.imagePullPolicy, 'IfNotPresent');
    await box.ready('digest');
    await eventually('it was restarted', () => box.running('tagged', 'app').State.Running);
    const { message } = waitingOf(await box.waiting('latest', 'ErrImagePull'));
    assert.match(message, /connection refused/);
    await remove('latest', 'tagged', 'digest', 'both');
  });
});
