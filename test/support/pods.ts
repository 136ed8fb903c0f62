/**
 * Short ways to pods, observations and wishes for the tests of the pod runner.
 */
import {
  mergeSources,
  NOTHING_DESIRED,
  type Desired,
  type DesiredPod,
} from '../../agent/pods/desired.js';
import type { PodPlan } from '../../agent/pods/plan.js';
import type { NodeFacts } from '../../agent/pods/pod-spec.js';
import type { StatusInput } from '../../agent/pods/pod-status.js';
import type {
  ObservedContainer,
  ObservedPods,
  ObservedSandbox,
} from '../../agent/runtime/runtime.js';
import { validatePodManifest } from '../../protocol/pod-validation.js';
import { allContainers, type Container, type PodSpec, type ValidPod } from '../../protocol/pod.js';

export const NODE = 'edge1';
/** A node about which all is said. */
export function nodeFactsOf(change: Partial<NodeFacts> = {}): NodeFacts {
  return {
    name: NODE,
    hostIP: '10.0.0.7',
    cpus: 2,
    memoryBytes: 4 * 1024 ** 3,
    ephemeralStorageBytes: 20 * 1024 ** 3,
    features: null,
    clusterDNS: [],
    clusterDomain: 'cluster.local',
    podPidsLimit: -1,
    ...change,
  };
}

export const T0 = Date.parse('2026-01-01T00:00:00Z');

export interface PodOptions {
  readonly namespace?: string;
  readonly uid?: string;
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly containers?: readonly (Partial<Container> & { name: string })[];
  readonly spec?: Partial<PodSpec>;
}

/** What a status is made from when nobody has anything to say; the engine is Docker. */
export const NOTHING_KNOWN: Omit<StatusInput, 'desired' | 'there' | 'memory' | 'now'> = {
  hostIPs: ['10.0.0.7'],
  runtimeName: 'docker',
  recursiveReadOnly: false,
  previous: null,
  runs: {},
  health: new Map(),
  startingHooks: new Set(),
  stops: new Map(),
  messages: new Map(),
  completion: null,
  backOffMaxMs: 300_000,
};

/** A manifest that passes validation; one container `app` unless said otherwise. */
export function manifest(name: string, options: PodOptions = {}): ValidPod {
  const { containers = [{ name: 'app' }], spec, ...metadata } = options;
  const result = validatePodManifest(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, ...metadata },
      spec: { ...spec, containers: containers.map(one => ({ image: 'busybox:1', ...one })) },
    },
    { context: 'file' },
  );
  if (!result.ok) throw new Error(result.errors.map(error => error.message).join('; '));
  return result.pod;
}

/** What the file source wants when it has these manifests, each in a file of its own name. */
export function wishes(pods: readonly ValidPod[], options: { complete?: boolean } = {}): Desired {
  return mergeSources({
    snapshots: [
      {
        kind: 'file',
        complete: options.complete ?? true,
        pods: pods.map(pod => ({
          manifest: pod,
          origin: `${pod.metadata.name}.yaml`,
          bundle: null,
          manifestDigest: null,
        })),
        refused: [],
        conditions: [],
        objects: [],
      },
    ],
    previous: NOTHING_DESIRED,
    running: new Set(),
    nodeName: NODE,
    now: T0,
  });
}

export function wish(pod: ValidPod): DesiredPod {
  const [one] = wishes([pod]).pods;
  if (one === undefined) throw new Error('there is no such pod');
  return one;
}

export function sandboxOf(pod: DesiredPod, change: Partial<ObservedSandbox> = {}): ObservedSandbox {
  return {
    id: `${pod.uid.slice(0, 6)}-s${change.attempt ?? 0}`,
    pod: { name: pod.pod.metadata.name, namespace: 'default', uid: pod.uid },
    attempt: 0,
    ready: true,
    createdAt: new Date(T0),
    hash: pod.sandboxHash,
    terminationGracePeriodSeconds: pod.pod.spec.terminationGracePeriodSeconds ?? 30,
    ip: '172.17.0.2',
    ips: change.ip === undefined ? ['172.17.0.2'] : [change.ip].filter(Boolean),
    hostNetwork: pod.pod.spec.hostNetwork === true,
    ports: [],
    source: 'file',
    ...change,
  };
}

/** As `pod-spec.ts` writes it into the container's annotations. */
function stopOrderOf({ pod }: DesiredPod, name: string): number {
  const sidecars = (pod.spec.initContainers ?? []).filter(one => one.restartPolicy === 'Always');
  const at = sidecars.findIndex(one => one.name === name);
  return at === -1 ? 0 : sidecars.length - at;
}

export function containerOf(
  pod: DesiredPod,
  name: string,
  change: Partial<ObservedContainer> = {},
): ObservedContainer {
  const { attempt = 0, state = 'running', finishedAt = null } = change;
  const createdAt = change.createdAt ?? new Date(T0 + attempt * 1000);
  const exitCode = state === 'exited' ? 1 : null;
  return {
    id: `${pod.uid.slice(0, 6)}-${name}${attempt}`,
    sandboxId: `${pod.uid.slice(0, 6)}-s0`,
    pod: { name: pod.pod.metadata.name, namespace: 'default', uid: pod.uid },
    name,
    attempt,
    state,
    image: 'busybox:1',
    imageId: 'docker://sha256:aa',
    hash: pod.containerHashes.get(name) ?? '',
    createdAt,
    startedAt: state === 'created' ? null : createdAt,
    finishedAt: state === 'exited' ? (finishedAt ?? createdAt) : null,
    exitCode,
    reason: state === 'exited' ? 'Error' : '',
    message: '',
    logPath: '',
    preStop: allContainers(pod.pod).find(one => one.name === name)?.lifecycle?.preStop ?? null,
    stopOrder: stopOrderOf(pod, name),
    graceSeconds: pod.pod.spec.terminationGracePeriodSeconds ?? null,
    round: 0,
    ...change,
  };
}

/** What `plan` is told beside wishes and observation, when nothing special is the case. */
export const CALM = {
  health: new Map(),
  completions: new Map(),
  backOffMaxMs: 300_000,
  condemned: new Set<string>(),
  graceLimits: new Map<string, number>(),
  startedAt: new Map<string, number>(),
  podVolumes: new Set<string>(),
} as const;

/** A sandbox and all its containers, running. */
export function running(pod: DesiredPod): ObservedPods {
  return {
    sandboxes: [sandboxOf(pod)],
    containers: allContainers(pod.pod).map(({ name, restartPolicy }) => {
      const isInit = (pod.pod.spec.initContainers ?? []).some(one => one.name === name);
      if (!isInit || restartPolicy === 'Always') return containerOf(pod, name);
      return containerOf(pod, name, { state: 'exited', exitCode: 0 });
    }),
  };
}

export function together(...parts: readonly ObservedPods[]): ObservedPods {
  return {
    sandboxes: parts.flatMap(part => part.sandboxes),
    containers: parts.flatMap(part => part.containers),
  };
}

/** Steps as short texts: `stopContainer app#0`, `runSandbox 1`. */
export function shorthand(plans: readonly PodPlan[]): string[] {
  return plans.flatMap(({ steps }) =>
    steps.map(step => {
      switch (step.do) {
        case 'pullImage':
        case 'startContainer':
          return `${step.do} ${step.container}`;
        case 'createContainer':
          return `${step.do} ${step.container} ${step.attempt}`;
        case 'runPreStop':
        case 'stopContainer':
        case 'removeContainer':
        case 'stopSandbox':
        case 'removeSandbox':
          return `${step.do} ${step.id.slice(7)}`;
        case 'runSandbox':
          return `${step.do} ${step.attempt}`;
        case 'prepareVolumes':
        case 'removeVolumes':
        case 'removePodData':
          return step.do;
      }
    }),
  );
}

/** What is there after all steps succeeded: the engine in one function. */
export function apply(
  observed: ObservedPods,
  plans: readonly PodPlan[],
  now: number,
): ObservedPods {
  let { sandboxes, containers } = observed;
  for (const { steps, desired } of plans) {
    const made = new Map<string, string>();
    let sandboxId: string | null = null;
    for (const step of steps) {
      switch (step.do) {
        case 'stopContainer':
          containers = containers.map(one =>
            one.id === step.id
              ? {
                  ...one,
                  state: 'exited',
                  exitCode: 143,
                  reason: 'Error',
                  finishedAt: new Date(now),
                }
              : one,
          );
          break;
        case 'removeContainer':
          containers = containers.filter(one => one.id !== step.id);
          break;
        case 'stopSandbox':
          sandboxes = sandboxes.map(one => (one.id === step.id ? { ...one, ready: false } : one));
          break;
        case 'removeSandbox':
          sandboxes = sandboxes.filter(one => one.id !== step.id);
          containers = containers.filter(one => one.sandboxId !== step.id);
          break;
        case 'runSandbox': {
          if (desired === null) throw new Error('a sandbox for nobody');
          const { attempt } = step;
          const fresh = sandboxOf(desired, { attempt, createdAt: new Date(now) });
          sandboxes = [...sandboxes.filter(one => one.id !== fresh.id), fresh];
          sandboxId = fresh.id;
          break;
        }
        case 'createContainer': {
          const into = step.sandboxId ?? sandboxId;
          if (desired === null || into === null) throw new Error('a container for nobody');
          if (!sandboxes.some(one => one.id === into && one.ready)) throw new Error('no sandbox');
          const fresh = containerOf(desired, step.container, {
            attempt: step.attempt,
            round: step.round,
            state: 'created',
            sandboxId: into,
            createdAt: new Date(now),
          });
          if (containers.some(one => one.id === fresh.id)) throw new Error(`${fresh.id} exists`);
          containers = [...containers, fresh];
          made.set(step.container, fresh.id);
          break;
        }
        case 'startContainer': {
          const id = step.id ?? made.get(step.container);
          const startedAt = new Date(now);
          if (!containers.some(one => one.id === id)) throw new Error('nothing to start');
          containers = containers.map(one =>
            one.id === id ? { ...one, state: 'running', startedAt } : one,
          );
          break;
        }
        case 'runPreStop':
        case 'pullImage':
        case 'prepareVolumes':
        case 'removeVolumes':
        case 'removePodData':
          break;
      }
    }
  }
  return { sandboxes, containers };
}
