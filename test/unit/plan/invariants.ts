/** What holds for every plan of a pod, whatever happened before it. */
import assert from 'node:assert/strict';
import type { PodPlan } from '../../../agent/pods/plan.js';
import { waitFor, type Step } from '../../../agent/pods/steps.js';
import type { World } from './world.js';

/** True when `step` cannot begin before `earlier` is over, directly or through others. */
function follows(steps: readonly Step[], step: number, earlier: number): boolean {
  const [last, first] = [steps[step], steps[earlier]];
  if (last === undefined || first === undefined) return false;
  if (waitFor(last, first) !== 'none') return true;
  for (let between = earlier + 1; between < step; between++) {
    const middle = steps[between];
    if (middle === undefined || waitFor(last, middle) === 'none') continue;
    if (follows(steps, between, earlier)) return true;
  }
  return false;
}

/** Nothing of a pod begins while something of another pod of its name, or of what is to end of it, still runs. */
export function neverTwoGenerations(
  { there, condemned }: World,
  { key: name, steps }: PodPlan,
): void {
  for (const [at, step] of steps.entries()) {
    if (step.do !== 'startContainer') continue;
    for (const one of there.containers) {
      const isOfName = `${one.pod.namespace}/${one.pod.name}` === name;
      const isOther = one.pod.uid !== step.uid || condemned.has(one.id);
      if (!isOfName || !isOther || one.state !== 'running') continue;
      const stop = steps.findIndex(other => other.do === 'stopContainer' && other.id === one.id);
      assert.ok(stop !== -1, `${step.container} begins beside ${one.name} of the one before`);
      assert.ok(stop < at && follows(steps, at, stop), `${step.container} does not wait`);
    }
  }
}

/** Running as the manifest has it, in a sandbox that stays, of a pod that goes on. */
export function leavesAloneWhatIsRight(world: World, plans: readonly PodPlan[]): void {
  const { pods } = world.acting.desired;
  for (const { steps } of plans) {
    for (const step of steps) {
      if (step.do !== 'stopContainer') continue;
      const one = world.there.containers.find(({ id }) => id === step.id);
      const pod = pods.find(({ uid }) => uid === step.uid);
      const sandbox = world.there.sandboxes.find(({ id }) => id === one?.sandboxId);
      if (one === undefined || pod === undefined || world.condemned.has(one.id)) continue;
      const isKilled = world.memory.kills.has(`${one.pod.uid}/${one.id}`);
      const isRight = pod.containerHashes.get(one.name) === one.hash && !isKilled;
      const stays = sandbox?.ready === true && sandbox.hash === pod.sandboxHash;
      const isOver = world.completions.has(pod.uid);
      const isRestarted = step.reason.startsWith('all containers of the pod are to be');
      assert.ok(!isRight || !stays || isOver || isRestarted, `${one.name}: ${step.reason}`);
    }
  }
}

/** Rows 69, 112: with a grace there is a hook before each stop that has one, and none without its stop. */
export function hooksBelongToStops(world: World, plans: readonly PodPlan[]): void {
  for (const { steps } of plans) {
    const hooked = steps.flatMap(step => (step.do === 'runPreStop' ? [step.id] : []));
    const wanted = steps.flatMap(step => {
      if (step.do !== 'stopContainer' || step.graceSeconds === 0) return [];
      const one = world.there.containers.find(({ id }) => id === step.id);
      return (one?.preStop ?? null) === null ? [] : [step.id];
    });
    assert.deepEqual(hooked.toSorted(), wanted.toSorted());
  }
}
