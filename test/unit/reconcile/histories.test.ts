/**
 * Seeded histories: edits, crashes, hands that interfere, an engine that fails, agents that restart. Whatever
 * happened, foreign and unchanged containers keep their ids, nothing runs twice, and the node converges.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OWN_NAMESPACES, RuntimeError } from '../../../agent/runtime/runtime.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { SimulatedRuntime } from '../../sim/runtime.js';
import { SimulatedNode } from '../../sim/node.js';
import { manifest, wish } from '../../support/pods.js';
import { randomOf } from '../../support/random.js';

const SEEDS = 25;
const STEPS = 40;

const stable = manifest('stable', { containers: [{ name: 'one' }, { name: 'two' }] });
const variants: Readonly<Record<string, readonly ValidPod[]>> = Object.fromEntries(
  ['x', 'y', 'z'].map(name => [
    name,
    [
      manifest(name, { containers: [{ name: 'app' }] }),
      manifest(name, { containers: [{ name: 'app', args: ['edited'] }] }),
      manifest(name, { containers: [{ name: 'app' }, { name: 'more' }] }),
      manifest(name, { containers: [{ name: 'app' }], spec: { hostname: 'moved' } }),
      manifest(name, { containers: [{ name: 'app' }], uid: `fixed-${name}` }),
    ],
  ]),
);

async function history(seed: number): Promise<void> {
  const random = randomOf(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const node = new SimulatedNode();
  const told: string[] = [];
  try {
    const foreign = new SimulatedRuntime(node.engine, 'other');
    const odd = wish(manifest('foreign'));
    const identity = { name: 'foreign', namespace: 'default', uid: odd.uid };
    const sandboxId = await foreign.runSandbox({
      pod: identity,
      attempt: 0,
      hostname: 'f',
      namespaces: OWN_NAMESPACES,
      sysctls: {},
      ports: [],
      labels: {},
      annotations: {},
      terminationGracePeriodSeconds: 30,
      hash: 'f',
    });
    let wanted: readonly ValidPod[] = [stable];
    node.source.say(...wanted);
    await node.until('stable runs', () => node.phase('stable') === 'Running');
    const ids = () => ['one', 'two'].map(name => node.running('stable', name)?.id);
    const kept = ids();
    const faultRate = pick([0, 0.05, 0.2]);
    node.setFault(call => {
      if (call === 'info' || random() >= faultRate) return;
      if (random() < 0.5) throw new RuntimeError('EngineUnavailable', 'hiccup');
      throw new RuntimeError('EngineError', `${call} failed`);
    });
    const others = () =>
      [...node.engine.containers.values()].filter(
        one => one.owner === 'own' && one.state === 'running' && !one.pod.name.startsWith('stable'),
      );
    const acts: Readonly<Record<string, () => void | Promise<void>>> = {
      edit: () => {
        wanted = [
          stable,
          ...Object.values(variants).flatMap(of => (random() < 0.7 ? [pick(of)] : [])),
        ];
        node.source.say(...wanted);
      },
      crash: () => {
        const [one] = others();
        if (one !== undefined) node.engine.exitContainer(one.id, pick([0, 1, 137]));
      },
      killSandbox: () => {
        const of = [...node.engine.sandboxes.values()].filter(
          one => one.owner === 'own' && one.ready && !one.pod.name.startsWith('stable'),
        );
        if (of.length > 0) node.engine.killSandbox(pick(of).id);
      },
      removeByHand: () => {
        const of = others();
        if (of.length > 0) node.engine.containers.delete(pick(of).id);
      },
      engineDown: () => {
        node.engine.up = !node.engine.up;
      },
      restart: async () => {
        await node.restart();
        node.source.say(...wanted);
      },
      wait: () => {
        node.clock.advance(pick([100, 1000, 20_000]));
      },
    };
    for (let i = 0; i < STEPS; i++) {
      const name = pick(Object.keys(acts));
      told.push(name);
      await acts[name]?.();
      if (random() < 0.5) await node.settle();
      const alive = [...node.engine.containers.values()].filter(one => one.state === 'running');
      const names = alive.map(one => `${one.owner}/${one.pod.name}/${one.name}`);
      assert.equal(new Set(names).size, names.length, `two instances run: ${names.join(', ')}`);
      assert.deepEqual(ids(), kept, 'the stable pod was touched');
    }
    node.engine.up = true;
    node.setFault(() => undefined);
    const isQuiet = () =>
      node.pods.planText() === 'nothing to do' &&
      node.pods.conditions().every(one => one.type !== 'ContainerRuntime' || one.status === 'True');
    const isConverged = () =>
      isQuiet() &&
      wanted.every(pod => {
        const { uid, containerHashes } = wish(pod);
        return [...containerHashes].every(([name, hash]) => {
          const one = node.running(pod.metadata.name, name);
          return one?.pod.uid === uid && one.hash === hash;
        });
      }) &&
      [...node.engine.sandboxes.values()].filter(one => one.owner === 'own' && one.ready).length ===
        wanted.length;
    await node.until('it converges', isConverged);
    await node.settle();
    assert.deepEqual(ids(), kept, 'the stable pod was touched');
    assert.equal(
      node.engine.sandboxes.get(sandboxId)?.ready,
      true,
      'a foreign sandbox was touched',
    );
    const uids = new Set(wanted.map(pod => wish(pod).uid));
    const strangers = [...node.engine.containers.values()].filter(
      one => one.owner === 'own' && !uids.has(one.pod.uid),
    );
    assert.deepEqual(strangers, [], 'an orphan is left');
    const before = node.engine.acts.length;
    await node.restart();
    node.source.say(...wanted);
    await node.settle();
    assert.deepEqual(
      node.engine.acts.slice(before),
      [],
      'a restart of the agent changed something',
    );
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const story = `seed ${seed}: ${told.join(' ')}`;
    throw new Error([why, story, node.pods.planText()].join('\n'), { cause: error });
  } finally {
    node.engine.up = true;
    await node.close();
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`history ${seed} converges and leaves alone what is not to change`, () => history(seed));
}
