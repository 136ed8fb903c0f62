/**
 * Init containers one at a time, each to its end; sidecars among them, which only have to have started and then run beside
 * everything else. The kubelet's `computeInitContainerActions`; behaviour rows 116 to 121. Pure.
 */
import { healthOf } from './health.js';
import {
  earliest,
  initViewsOf,
  judge,
  viewsOf,
  type ContainerView,
  type Instances,
  type PodContext,
} from './plan-views.js';
import { stepsFor } from './start-steps.js';
import type { EngineId } from '../runtime/runtime.js';
import type { Step } from './steps.js';

export interface InitPlan {
  /** The app containers may begin. */
  readonly isDone: boolean;
  /** One ended for good with an error: nothing more of the pod begins. */
  readonly hasFailed: boolean;
  readonly steps: readonly Step[];
  readonly againAt: number | null;
}

/** Only what ran in this sandbox counts: a new one begins from the start (row 77). */
function within(view: ContainerView, sandboxId: EngineId | null): ContainerView {
  if (view.isOutdated) return view;
  const instances = view.instances.filter(one => one.sandboxId === sandboxId);
  return { ...view, instances };
}

function hasRun({ instances, isOutdated }: ContainerView): boolean {
  return instances.length > 0 && !isOutdated;
}

/** `sandboxId` is the sandbox that stays; null when it has to be made. */
export function planInit(
  sandboxId: EngineId | null,
  there: Instances,
  context: PodContext,
): InitPlan {
  const { pod } = context;
  const views = initViewsOf(pod, there, sandboxId).map(view => within(view, sandboxId));
  const apps = viewsOf(pod, there, sandboxId).map(view => within(view, sandboxId));
  // As on the kubelet: once an app container was made, plain init containers are not looked at any more (row 118).
  const isInitialized = apps.some(hasRun);
  const steps: Step[] = [];
  let againAt: number | null = null;
  for (const [index, view] of views.entries()) {
    // Row 119: one that was removed has ended if anything behind it has run.
    const isBehind = isInitialized || views.slice(index + 1).some(hasRun);
    if (!view.isSidecar && (isInitialized || (view.instances.length === 0 && isBehind))) continue;
    const verdict = judge(view, sandboxId, context);
    steps.push(...stepsFor(view, verdict, { context, there, sandboxId }));
    if (verdict.is === 'waiting') againAt = earliest(againAt, verdict.until);
    const [newest] = view.instances;
    if (verdict.is === 'done') {
      if (newest?.exitCode === 0) continue;
      return { isDone: false, hasFailed: true, steps: [], againAt: null };
    }
    // A sidecar that ended later holds nothing up that had begun.
    if (isInitialized || (view.isSidecar && isBehind)) continue;
    const isStarted =
      view.isSidecar &&
      verdict.is === 'kept' &&
      newest !== undefined &&
      healthOf(context.health, newest.id, view.container).started;
    if (!isStarted) return { isDone: false, hasFailed: false, steps, againAt };
  }
  return { isDone: true, hasFailed: false, steps, againAt };
}
