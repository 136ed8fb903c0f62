/** A simulated node whose pods have a grace and hooks that take as long as their manifest says. */
import assert from 'node:assert/strict';
import { afterEach } from 'node:test';
import { HookError, type HookRunner } from '../../../agent/pods/health.js';
import type { PodsOptions } from '../../../agent/pods/pods.js';
import type { Container, LifecycleHandler, ValidPod } from '../../../protocol/pod.js';
import { SimulatedNode } from '../../sim/node.js';
import { manifest, type PodOptions } from '../../support/pods.js';

const nodes: SimulatedNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});

/** Runs hooks of `sleep` for so long, httpGet for as long as its path says, fails those of exec, by the node's clock. */
class ScriptedHooks implements HookRunner {
  readonly runs: { readonly seconds: number; readonly from: number; to: number }[] = [];
  readonly #node: SimulatedNode;

  constructor(node: SimulatedNode) {
    this.#node = node;
  }

  async run(handler: LifecycleHandler, _target: unknown, signal: AbortSignal): Promise<void> {
    const { clock } = this.#node;
    const seconds = handler.sleep?.seconds ?? Number(handler.httpGet?.path?.slice(1) ?? 0);
    const run = { seconds, from: clock.now(), to: -1 };
    this.runs.push(run);
    await clock.sleep(seconds * 1000, signal);
    run.to = clock.now();
    if (handler.exec !== undefined) throw new HookError('it ended with exit code 1');
  }
}

/** Closed when the test has ended. */
export function newNode(parts: Partial<PodsOptions> = {}): {
  node: SimulatedNode;
  hooks: ScriptedHooks;
} {
  let hooks: ScriptedHooks | null = null;
  const node = new SimulatedNode(self => {
    hooks ??= new ScriptedHooks(self);
    return { hooks, ...parts };
  });
  nodes.push(node);
  assert.ok(hooks);
  return { node, hooks };
}

export const preStop = (seconds: number): Partial<Container> => ({
  lifecycle: { preStop: { sleep: { seconds } } },
});

export function pod(name: string, options: PodOptions & { readonly grace?: number }): ValidPod {
  const { grace = 30, spec, ...rest } = options;
  return manifest(name, { ...rest, spec: { ...spec, terminationGracePeriodSeconds: grace } });
}

export async function started(node: SimulatedNode, ...pods: ValidPod[]): Promise<void> {
  node.source.say(...pods);
  const names = pods.map(one => one.metadata.name);
  await node.until('all run', () => names.every(name => node.phase(name) === 'Running'));
}

/** Container, seconds from `from` to each stop signal, and the grace that each was given. */
export function stops(node: SimulatedNode, from: number): [string, number, number][] {
  return node.engine.stops.map(one => [one.name, (one.at - from) / 1000, one.graceSeconds]);
}
