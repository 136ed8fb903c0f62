/**
 * Pods that want one host port, seeded: wishes that come, go and pass ports on in rings, crashes, an engine that fails, agents that
 * restart. Never two pods with one port, and in the end every pod that can run runs (kubelet behaviour row 184 done better).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admission } from '../../../agent/admission/admit.js';
import { NODE_PORTS } from '../../../agent/admission/host-port-gate.js';
import { DEFAULT_POLICY } from '../../../agent/admission/policy.js';
import { RuntimeError } from '../../../agent/runtime/runtime.js';
import { hostPortsOf } from '../../../protocol/host-ports.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { SimulatedNode } from '../../sim/node.js';
import { manifest, NODE, wish } from '../../support/pods.js';
import { randomOf } from '../../support/random.js';

const SEEDS = 15;
const STEPS = 30;
const NAMES = ['a', 'b', 'c', 'd'];
const PORTS = [8001, 8002, 8003];

/** What a pod wants: its ports, and whatever else makes another version of it. */
interface Wish {
  readonly ports: readonly number[];
  readonly version: number;
  readonly grace: number;
}

function podOf(name: string, { ports, version, grace }: Wish): ValidPod {
  return manifest(name, {
    spec: { terminationGracePeriodSeconds: grace },
    containers: [
      {
        name: 'app',
        args: [`v${version}`],
        ports: ports.map(port => ({ containerPort: port, hostPort: port })),
      },
    ],
  });
}

function nodeWithAdmission(): SimulatedNode {
  return new SimulatedNode(() => ({
    admission: admission({
      policy: DEFAULT_POLICY,
      node: { name: NODE, labels: {}, allocatable: { cpu: '8', pods: '20' } },
    }),
  }));
}

/** Names of the pods that have each port of the node now. */
function holders(node: SimulatedNode): ReadonlyMap<number, readonly string[]> {
  const held = new Map<number, string[]>();
  for (const { ready, pod, spec } of node.engine.sandboxes.values()) {
    if (!ready) continue;
    for (const { hostPort } of spec.ports) {
      held.set(hostPort, [...(held.get(hostPort) ?? []), pod.name]);
    }
  }
  return held;
}

/** All but the empty one. */
function subsets<T>(of: readonly T[]): readonly (readonly T[])[] {
  return of.reduce<(readonly T[])[]>(
    (some, one) => [...some, [one], ...some.map(others => [...others, one])],
    [],
  );
}

class Histories {
  readonly node = nodeWithAdmission();
  readonly #random: () => number;
  readonly #told: string[] = [];
  #wanted = new Map<string, Wish>();

  constructor(seed: number) {
    this.#random = randomOf(seed);
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }

  #say(): void {
    this.node.source.say(...this.#manifests());
  }

  #manifests(): ValidPod[] {
    return [...this.#wanted].map(([name, wanted]) => podOf(name, wanted));
  }

  readonly #acts: Readonly<Record<string, () => void | Promise<void>>> = {
    edit: () => {
      const name = this.#pick(NAMES);
      const { version = 0 } = this.#wanted.get(name) ?? {};
      const ports = PORTS.filter(() => this.#random() < 0.4);
      this.#wanted.set(name, { ports, version: version + 1, grace: this.#pick([0, 1, 30]) });
      this.#say();
    },
    remove: () => {
      this.#wanted.delete(this.#pick(NAMES));
      this.#say();
    },
    ring: () => {
      const names = [...this.#wanted.keys()];
      const ports = names.map(name => this.#wanted.get(name)?.ports ?? []);
      names.forEach((name, index) => {
        const before = this.#wanted.get(name);
        const next = ports[(index + 1) % names.length] ?? [];
        if (before !== undefined) this.#wanted.set(name, { ...before, ports: next });
      });
      this.#say();
    },
    crash: () => {
      const running = [...this.node.engine.containers.values()].filter(
        one => one.state === 'running',
      );
      if (running.length === 0) return;
      this.node.engine.exitContainer(this.#pick(running).id, this.#pick([0, 1]));
    },
    killSandbox: () => {
      const ready = [...this.node.engine.sandboxes.values()].filter(one => one.ready);
      if (ready.length > 0) this.node.engine.killSandbox(this.#pick(ready).id);
    },
    restart: async () => {
      await this.node.restart();
      this.#say();
    },
    wait: () => this.node.clock.advance(this.#pick([100, 1_000, 20_000])),
  };

  async play(): Promise<void> {
    const { node } = this;
    const faultRate = this.#pick([0, 0.05, 0.15]);
    node.setFault(call => {
      for (const [port, names] of holders(node)) {
        assert.ok(names.length < 2, `port ${port} is of ${names.join(' and ')}`);
      }
      if (call !== 'info' && this.#random() < faultRate) {
        throw new RuntimeError('EngineError', `${call} failed`);
      }
    });
    for (let step = 0; step < STEPS; step++) {
      const act = this.#pick(['edit', 'edit', 'ring', ...Object.keys(this.#acts)]);
      this.#told.push(act);
      await this.#acts[act]?.();
      if (act === 'ring') await node.until('the ports are passed on', () => this.#isSettled());
      else await node.settle();
    }
    node.setFault(() => undefined);
    await node.until('every pod that can run runs', () => this.#isSettled());
    await node.settle();
    assert.ok(this.#isSettled(), 'it does not last');
  }

  #isRunning(pod: ValidPod): boolean {
    const { uid, containerHashes } = wish(pod);
    const one = this.node.running(pod.metadata.name);
    return one?.pod.uid === uid && one.hash === containerHashes.get('app');
  }

  /** Nothing is under way, and no pods that wait could take the place of what runs of them. */
  #isSettled(): boolean {
    const lines = this.node.pods.planText().split('\n');
    if (lines.some(line => line !== 'nothing to do' && !line.includes('waits: '))) return false;
    const waiting = this.#manifests().filter(pod => !this.#isRunning(pod));
    const isRefused = (pod: ValidPod) =>
      this.node.report(pod.metadata.name)?.pod.status?.reason === NODE_PORTS;
    return waiting.every(isRefused) && subsets(waiting).every(some => !this.#couldBegin(some));
  }

  /** Each of these, if what runs of them had ended. */
  #couldBegin(pods: readonly ValidPod[]): boolean {
    const own = new Set(pods.map(pod => `${pod.metadata.name}-${NODE}`));
    const taken = [...this.node.engine.sandboxes.values()]
      .filter(({ ready, pod }) => ready && !own.has(pod.name))
      .flatMap(({ spec }) => spec.ports.map(({ hostPort }) => hostPort));
    const all = [...taken, ...pods.flatMap(pod => hostPortsOf(pod).map(({ port }) => port))];
    return new Set(all).size === all.length;
  }

  story(): string {
    const wanted = [...this.#wanted].map(([name, { ports }]) => `${name}(${ports.join()})`);
    const there = [...holders(this.node)].map(([port, names]) => `${port}=${names.join()}`);
    return `${this.#told.join(' ')}: wanted ${wanted.join(' ')}, there ${there.join(' ')}\n${this.node.pods.planText()}`;
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`history ${seed} of host ports: never two pods on one, and every pod that can run runs`, async () => {
    const history = new Histories(seed);
    try {
      await history.play();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`seed ${seed}: ${why}\n${history.story()}`, { cause: error });
    } finally {
      history.node.setFault(() => undefined);
      await history.node.close();
    }
  });
}

test('three pods that pass their ports on in a ring all run in the end, whatever their grace', async () => {
  const node = nodeWithAdmission();
  try {
    const wanted = (shift: number) =>
      NAMES.slice(0, 3).map((name, index) =>
        podOf(name, { ports: [PORTS[(index + shift) % 3] ?? 0], version: 1, grace: index * 15 }),
      );
    for (const shift of [0, 1, 2, 0]) {
      const pods = wanted(shift);
      node.source.say(...pods);
      await node.until('all run', () =>
        pods.every(pod => node.running(pod.metadata.name)?.pod.uid === wish(pod).uid),
      );
      const held = [...holders(node)].map(([port, names]) => [port, names.length]);
      assert.deepEqual(
        held.toSorted(),
        PORTS.map(port => [port, 1]),
      );
    }
  } finally {
    await node.close();
  }
});
