/**
 * Which of the wanted pods may begin: sets `DesiredPod.rejection`.
 *
 * A pod that has a sandbox or container under its uid has been admitted: only what an edit puts into it is judged, by the
 * policy; what runs is never ended here. The others are asked at every gate, in order, those first that were seen first, then the critical and
 * more important ones; the first no counts. What was admitted takes its ports and resources at once. Nothing is
 * remembered between two calls. Kubelet behaviour rows 177 to 184. Pure.
 */
import type { Gate, GateContext, Holding, AdmissionNode } from './gate.js';
import { hostPortGate, NODE_PORTS } from './host-port-gate.js';
import { affinityGate, nameGate, osGate, resourcesGate } from './node-fit.js';
import { policyRejection, type AdmissionPolicy } from './policy.js';
import { exchanging } from './port-rings.js';
import { startAfterGate, WAITING_FOR } from './start-after-gate.js';
import type { PodReport } from '../ports.js';
import { completionOf, rememberedCompletion, type Completions } from '../pods/completion.js';
import { EMPTY_MEMORY } from '../pods/back-off.js';
import { CONFIG_SEEN, type Desired, type DesiredPod, type Rejection } from '../pods/desired.js';
import { instancesOf } from '../pods/pod-reports.js';
import type { EngineFeatures, ObservedContainer, ObservedPods } from '../runtime/runtime.js';
import { boundPorts, hostPortsOf } from '../../protocol/host-ports.js';
import type { Pod } from '../../protocol/pod.js';
import { podPriority } from '../../protocol/pod-priority.js';
import { NOTHING_REQUESTED, podRequests } from '../../protocol/pod-requests.js';

export interface AdmissionContext {
  /** Those of the round before; empty in the first. */
  readonly reports: readonly PodReport[];
  /** What the engine said in this round. */
  readonly observed: ObservedPods;
  readonly now: number;
  /** Pods that are over, as far as that is remembered. */
  readonly completions?: Completions;
  /** Absent or null while the engine has not told what it can do. */
  readonly engine?: EngineFeatures | null;
}

export interface AdmissionOptions {
  readonly policy: AdmissionPolicy;
  readonly node: AdmissionNode;
  /** Asked after policy, node and ports, before the start order. */
  readonly gates?: readonly Gate[];
  /** Those of them that are asked of an edit of a pod that runs too, after the policy. */
  readonly editGates?: readonly Gate[];
}

const NO_COMPLETIONS: Completions = new Map();

export interface Admission {
  /** The same pods, with their rejections. Throws nothing; twice is the same as once. */
  admit(desired: Desired, context: AdmissionContext): Desired;
}

/** What the engine has, by uid. */
interface Present {
  readonly all: ReadonlySet<string>;
  readonly alive: ReadonlySet<string>;
  readonly containers: ReadonlyMap<string, readonly ObservedContainer[]>;
}

function presentPods({ sandboxes, containers }: ObservedPods): Present {
  const byUid = new Map<string, ObservedContainer[]>();
  for (const one of containers) byUid.set(one.pod.uid, [...(byUid.get(one.pod.uid) ?? []), one]);
  const isAlive = ({ state }: ObservedContainer) => state === 'running' || state === 'unknown';
  return {
    all: new Set([...sandboxes, ...containers].map(({ pod }) => pod.uid)),
    alive: new Set([
      ...sandboxes.filter(({ ready }) => ready).map(({ pod }) => pod.uid),
      ...containers.filter(isAlive).map(({ pod }) => pod.uid),
    ]),
    containers: byUid,
  };
}

function reportsByUid(reports: readonly PodReport[]): ReadonlyMap<string, Pod> {
  return new Map(reports.map(({ pod }) => [pod.metadata?.uid ?? '', pod]));
}

function hasRun(report: Pod | undefined): boolean {
  const { containerStatuses = [], initContainerStatuses = [] } = report?.status ?? {};
  return [...initContainerStatuses, ...containerStatuses].some(
    one => one.containerID !== undefined,
  );
}

/** A pod that has ended for good takes nothing any more (T26), and is not judged. */
function hasEnded(pod: DesiredPod, present: Present, context: AdmissionContext): boolean {
  const { uid } = pod;
  if (present.alive.has(uid)) return false;
  if (rememberedCompletion(context.completions ?? NO_COMPLETIONS, pod) !== null) return true;
  const there = instancesOf(context.observed, uid);
  const world = { pod, memory: EMPTY_MEMORY, startedAt: null, now: context.now };
  return present.all.has(uid) && completionOf(world, there) !== null;
}

/** A container of it is to begin that did not run like that before. */
function isEdited({ uid, containerHashes }: DesiredPod, present: Present): boolean {
  const there = present.containers.get(uid) ?? [];
  return [...containerHashes].some(
    ([name, hash]) => !there.some(one => one.name === name && one.hash === hash),
  );
}

function isHeldBack(report: Pod | undefined): boolean {
  const { reason, conditions = [] } = report?.status ?? {};
  return reason === WAITING_FOR || conditions.some(condition => condition.reason === WAITING_FOR);
}

/**
 * The node was started anew: the pod ran once, and this run of the agent has not seen it alive. What this run has
 * seen, or held back before, stands in its report.
 */
function startsCold({ uid }: DesiredPod, present: Present, report: Pod | undefined): boolean {
  if (present.alive.has(uid)) return false;
  const ranOnce = (present.containers.get(uid) ?? []).some(({ startedAt }) => startedAt !== null);
  return ranOnce && (isHeldBack(report) || !hasRun(report));
}

function holdingOf(key: string, pod: Pod, isEnding: boolean): Holding {
  return { key, ports: hostPortsOf(pod), requests: podRequests(pod), isEnding };
}

/** What an agent before this one began has ports too, though nobody can tell its manifest. */
function leftSandboxes(
  { sandboxes }: ObservedPods,
  isEnding: (uid: string) => boolean,
): readonly Holding[] {
  return sandboxes
    .filter(({ ready, ports, pod }) => ready && ports.length > 0 && isEnding(pod.uid))
    .map(({ pod, ports }) => ({
      key: `${pod.namespace}/${pod.name}`,
      ports: boundPorts(ports),
      requests: NOTHING_REQUESTED,
      isEnding: true,
    }));
}

function seenAt({ pod }: DesiredPod): number {
  const at = Date.parse(pod.metadata.annotations?.[CONFIG_SEEN] ?? '');
  return Number.isNaN(at) ? 0 : at;
}

/** First come, first served; then the more important. */
function inOrder(pods: readonly DesiredPod[]): DesiredPod[] {
  return pods.toSorted(
    (a, b) =>
      seenAt(a) - seenAt(b) || podPriority(b.pod) - podPriority(a.pod) || (a.key < b.key ? -1 : 1),
  );
}

function firstNo(gates: readonly Gate[], pod: DesiredPod, context: GateContext): Rejection | null {
  for (const gate of gates) {
    const no = gate(pod, context);
    if (no !== null) return no;
  }
  return null;
}

function policyGate(policy: AdmissionPolicy): Gate {
  return ({ pod, source, bindings }) => policyRejection(pod, source, { policy, bindings });
}

interface Asked {
  readonly node: AdmissionNode;
  readonly edits: readonly Gate[];
  readonly gates: readonly Gate[];
}

function judge(
  desired: Desired,
  context: AdmissionContext,
  { node, edits, gates }: Asked,
): ReadonlyMap<string, Rejection> {
  const { observed, reports, now, engine = null } = context;
  const present = presentPods(observed);
  const reported = reportsByUid(reports);
  const wanted = new Set(desired.pods.map(({ uid }) => uid));
  const living = desired.pods.filter(pod => !hasEnded(pod, present, context));
  const isThere = ({ uid }: DesiredPod) => present.all.has(uid);
  const isEnding = (uid: string) => !wanted.has(uid) && present.alive.has(uid);
  const holdings: Holding[] = [
    ...living.filter(isThere).map(({ key, pod }) => holdingOf(key, pod, false)),
    ...reports
      .filter(({ pod }) => isEnding(pod.metadata?.uid ?? ''))
      .map(({ key, pod }) => holdingOf(key, pod, true)),
    ...leftSandboxes(observed, isEnding),
  ];
  const ask = (pod: DesiredPod, which: readonly Gate[], held: readonly Holding[] = holdings) =>
    firstNo(which, pod, {
      node,
      desired,
      reports,
      engine,
      now,
      holdings: held.filter(({ key }) => key !== pod.key),
    });
  const rejections = new Map<string, Rejection>();
  for (const pod of inOrder(living)) {
    const isCold = isThere(pod) && startsCold(pod, present, reported.get(pod.uid));
    const isRunning = isThere(pod) && !isCold;
    const edited = isThere(pod) && isEdited(pod, present);
    if (isRunning && !edited) continue;
    // Ports and place are a running pod's already; what an edit puts into it is not.
    const asked = isCold ? [...(edited ? edits : []), startAfterGate] : isRunning ? edits : gates;
    const no = ask(pod, asked);
    if (no !== null) rejections.set(pod.uid, no);
    else if (!isThere(pod)) holdings.push(holdingOf(pod.key, pod.pod, false));
  }
  const waiting = inOrder(living).filter(({ uid }) => isWaitingForPort(rejections.get(uid)));
  const ring = exchanging(waiting, {
    mayBegin(pod, freed, taken) {
      const left = holdings.filter(({ key, isEnding }) => !isEnding || !freed.has(key));
      return ask(pod, gates, [...left, ...taken]) === null;
    },
    holdingOf: ({ key, pod }) => holdingOf(key, pod, false),
    formerPorts: ({ key }) =>
      holdings.flatMap(held => (held.isEnding && held.key === key ? held.ports : [])),
  });
  for (const { uid } of ring) rejections.delete(uid);
  return rejections;
}

function isWaitingForPort(rejection: Rejection | undefined): boolean {
  return rejection?.reason === NODE_PORTS && rejection.phase === 'Pending';
}

export function admission(options: AdmissionOptions): Admission {
  const { node, editGates = [] } = options;
  const policy = policyGate(options.policy);
  const edits = [policy, ...editGates];
  const gates: readonly Gate[] = [
    policy,
    nameGate,
    osGate,
    affinityGate,
    resourcesGate,
    hostPortGate,
    ...(options.gates ?? []),
    startAfterGate,
  ];
  return {
    admit(desired, context) {
      const rejections = judge(desired, context, { node, edits, gates });
      const pods = desired.pods.map(pod => {
        const rejection = rejections.get(pod.uid) ?? null;
        return rejection === pod.rejection ? pod : { ...pod, rejection };
      });
      return { ...desired, pods };
    },
  };
}
