/**
 * The closed vocabulary of what the agent does to pods, each step with its reason, and which steps have to wait
 * for which others.
 *
 * The order rules live here once, so that the executor, the printed plan and the tests agree. Pure.
 */
import type { EngineId } from '../runtime/runtime.js';
import type { LifecycleHandler } from '../../protocol/pod.js';

interface StepBase {
  readonly uid: string;
  /** For people: why the step is taken. */
  readonly reason: string;
}

export type Step = StepBase &
  (
    | {
        readonly do: 'pullImage';
        readonly container: string;
        readonly image: string;
        /** The container's turn has not come: what is on the node already is not asked for again. */
        readonly isAhead: boolean;
      }
    | {
        readonly do: 'runPreStop';
        readonly container: string;
        readonly id: EngineId;
        readonly handler: LifecycleHandler;
        /** Where its httpGet goes when it names no host. */
        readonly host: string;
        /** The hook is cut after it (row 69). */
        readonly graceSeconds: number;
      }
    | {
        readonly do: 'stopContainer';
        readonly container: string;
        readonly id: EngineId;
        /** Of the pod, or of the probe: the hook, and the containers before it, take their time out of it. */
        readonly graceSeconds: number;
        /** Waits for all of a lower order: sidecars end after the apps, the last one first (row 115). */
        readonly order: number;
      }
    | { readonly do: 'removeContainer'; readonly container: string; readonly id: EngineId }
    | { readonly do: 'stopSandbox'; readonly id: EngineId; readonly graceSeconds: number }
    | { readonly do: 'removeSandbox'; readonly id: EngineId }
    | { readonly do: 'removeVolumes' }
    | { readonly do: 'removePodData' }
    | { readonly do: 'prepareVolumes' }
    | { readonly do: 'runSandbox'; readonly attempt: number }
    | {
        readonly do: 'createContainer';
        readonly container: string;
        readonly attempt: number;
        /** See `ObservedContainer.round`. */
        readonly round: number;
        /** The sandbox it joins; null = the one that this plan runs. */
        readonly sandboxId: EngineId | null;
      }
    | {
        readonly do: 'startContainer';
        readonly container: string;
        /** Null = the one that this plan creates. */
        readonly id: EngineId | null;
      }
  );

export type StepKind = Step['do'];

/**
 * - `success`: not taken unless the earlier one succeeded;
 * - `end`: waits until the earlier one is over, whatever came of it;
 * - `none`: the two may go on at once.
 */
export type Wait = 'success' | 'end' | 'none';

const TEARDOWN: ReadonlySet<StepKind> = new Set([
  'runPreStop',
  'stopContainer',
  'stopSandbox',
  'removeSandbox',
  'removePodData',
]);

/**
 * True when `stop` waits for its turn: until `earlier` is over, or the grace is (row 115). Not a `Wait`: a step that waits
 * has not begun, and the grace runs from the beginning.
 */
export function endsBefore(earlier: Step, stop: Step): boolean {
  if (earlier.do !== 'stopContainer' || stop.do !== 'stopContainer') return false;
  return earlier.uid === stop.uid && earlier.order < stop.order;
}

function nameOf(step: Step): string | null {
  return 'container' in step ? step.container : null;
}

function waitOfTeardown(step: Step, earlier: Step): Wait {
  const samePod = step.uid === earlier.uid;
  switch (step.do) {
    case 'runPreStop':
    case 'stopContainer':
      if (earlier.do === 'runPreStop' && step.do === 'stopContainer') {
        return earlier.id === step.id ? 'end' : 'none';
      }
      // Another pod's image: the pod that replaces this one must be able to start.
      if (earlier.do === 'pullImage' && !samePod) return 'success';
      // The replacement is made beforehand: between stop and start nothing else has to be done.
      if (earlier.do === 'createContainer' && samePod && nameOf(earlier) === step.container) {
        return 'success';
      }
      return 'none';
    case 'stopSandbox':
      if (earlier.do === 'pullImage' && !samePod) return 'success';
      return samePod && earlier.do === 'stopContainer' ? 'success' : 'none';
    case 'removeContainer':
      if (!samePod) return 'none';
      // What has ended tells its exit code and its output until the last of its pod has ended too.
      if (earlier.do === 'stopContainer') return earlier.id === step.id ? 'success' : 'end';
      return earlier.do === 'startContainer' && earlier.container === step.container
        ? 'success'
        : 'none';
    case 'removeSandbox':
      if (!samePod) return 'none';
      if (earlier.do === 'stopSandbox') return earlier.id === step.id ? 'success' : 'none';
      return earlier.do === 'removeContainer' || earlier.do === 'stopContainer'
        ? 'success'
        : 'none';
    case 'removeVolumes':
    case 'removePodData':
      return samePod ? 'success' : 'none';
    default:
      return 'none';
  }
}

/** A pod begins when the one before it has ended; data that cannot be removed holds nothing up. */
function waitOfNext(earlier: Step): Wait {
  if (earlier.do === 'removePodData' || earlier.do === 'runPreStop') return 'end';
  return TEARDOWN.has(earlier.do) ? 'success' : 'none';
}

/** What `step` has to wait for, of a step that stands before it in the same plan. */
export function waitFor(step: Step, earlier: Step): Wait {
  const samePod = step.uid === earlier.uid;
  switch (step.do) {
    case 'pullImage':
      return 'none';
    case 'prepareVolumes':
      if (earlier.do === 'removePodData') return 'end';
      return samePod ? 'none' : waitOfNext(earlier);
    case 'runSandbox':
      if (earlier.do === 'prepareVolumes') return 'success';
      return samePod && earlier.do === 'removeSandbox' ? 'end' : waitOfNext(earlier);
    case 'createContainer':
      if (earlier.do === 'prepareVolumes' || earlier.do === 'runSandbox') return 'success';
      return earlier.do === 'pullImage' && nameOf(earlier) === step.container ? 'success' : 'none';
    case 'startContainer':
      if (earlier.do === 'startContainer') return 'end';
      if (earlier.do === 'prepareVolumes' || earlier.do === 'runSandbox') return 'success';
      if (earlier.do !== 'createContainer' && earlier.do !== 'stopContainer') return 'none';
      return nameOf(earlier) === step.container ? 'success' : 'none';
    default:
      return waitOfTeardown(step, earlier);
  }
}

/** One line for `flotilla-agent plan`. */
export function describeStep(step: Step): string {
  const short = (id: string) => id.slice(0, 12);
  switch (step.do) {
    case 'pullImage':
      return `provide image ${step.image} for container ${step.container} (${step.reason})`;
    case 'runPreStop':
      return (
        `run preStop hook of container ${step.container} ${short(step.id)}, ` +
        `at most ${step.graceSeconds} s (${step.reason})`
      );
    case 'stopContainer':
      return (
        `stop container ${step.container} ${short(step.id)}, ` +
        `grace ${step.graceSeconds} s (${step.reason})`
      );
    case 'removeContainer':
      return `remove container ${step.container} ${short(step.id)} (${step.reason})`;
    case 'stopSandbox':
      return `stop sandbox ${short(step.id)} (${step.reason})`;
    case 'removeSandbox':
      return `remove sandbox ${short(step.id)} (${step.reason})`;
    case 'removeVolumes':
      return `remove the volumes (${step.reason})`;
    case 'removePodData':
      return `remove the data of pod ${step.uid} (${step.reason})`;
    case 'prepareVolumes':
      return `prepare volumes (${step.reason})`;
    case 'runSandbox':
      return `run sandbox, attempt ${step.attempt} (${step.reason})`;
    case 'createContainer':
      return `create container ${step.container}, attempt ${step.attempt} (${step.reason})`;
    case 'startContainer':
      return `start container ${step.container} (${step.reason})`;
  }
}
