/** Pull secrets through the agent's whole loop, on a simulated engine whose registry asks for a password. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ConfigObject } from '../../../agent/pods/config-objects.js';
import { SimulatedNode } from '../../sim/node.js';
import { manifest } from '../../support/pods.js';

const IMAGE = 'reg.io/team/web:1';
const PASSWORD = 'open sesame';

const secret = (name: string): ConfigObject => ({
  kind: 'Secret',
  namespace: 'default',
  name,
  type: 'kubernetes.io/dockerconfigjson',
  data: new Map([
    [
      '.dockerconfigjson',
      Buffer.from(JSON.stringify({ auths: { 'reg.io': { username: 'u', password: PASSWORD } } })),
    ],
  ]),
  isImmutable: false,
  origin: 'secret.yaml',
  bundle: null,
});

const web = (...names: string[]) =>
  manifest('web', {
    containers: [{ name: 'app', image: IMAGE }],
    spec: { imagePullSecrets: names.map(name => ({ name })) },
  });

describe('row 128: pull secrets of a pod', () => {
  const start = (t: { after: (done: () => Promise<void>) => void }) => {
    const node = new SimulatedNode();
    t.after(() => node.close());
    node.engine.registry.add(IMAGE);
    node.engine.passwords.set(IMAGE, PASSWORD);
    return node;
  };

  test('a Secret beside the pod opens the registry', async t => {
    const node = start(t);
    node.source.have(secret('reg'));
    node.source.say(web('reg'));
    await node.until('it runs', () => node.running('web') !== undefined);
    assert.ok(!node.events.some(({ reason }) => reason === 'FailedToRetrieveImagePullSecret'));
  });

  test('a missing one is said, the pull is tried without it, and the Secret that comes is used', async t => {
    const node = start(t);
    node.source.say(web('reg', 'other'));
    await node.until('the pull failed', () =>
      node.events.some(({ reason }) => reason === 'Failed'),
    );
    const [said] = node.events.filter(({ reason }) => reason === 'FailedToRetrieveImagePullSecret');
    assert.equal(said?.type, 'Warning');
    assert.match(
      said?.message ?? '',
      /^Unable to retrieve some image pull secrets \(reg, other\);/,
    );
    assert.ok(!JSON.stringify(node.pods.reports()).includes(PASSWORD));
    node.source.have(secret('reg'));
    await node.until('it runs', () => node.running('web') !== undefined);
  });

  test('neither password nor its text is in a report or an event', async t => {
    const node = start(t);
    node.source.have({ ...secret('reg'), type: 'Opaque' });
    node.source.say(web('reg'));
    await node.until('the pull failed', () =>
      node.events.some(({ reason }) => reason === 'Failed'),
    );
    const told = JSON.stringify([node.events, node.pods.reports()]);
    assert.ok(!told.includes(PASSWORD));
  });
});
