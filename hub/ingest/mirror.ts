/** From what a node says to the objects that the API serves: Nodes, mirror Pods, Events. Pure. */
import type {
  NodeStatus,
  Pod,
  PodCondition,
  PodSpec,
  PodStatus,
} from 'kubernetes-types/core/v1.js';
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type { EventRecord, PodDocument, StatusDocument } from '../../protocol/documents/node.js';
import { validatePod } from '../../protocol/generated/validators.js';
import { LABEL_PATTERN } from '../../protocol/names.js';
import { podFullName } from '../../protocol/pod-identity.js';
import { withDefaults } from '../../protocol/pod-defaults.js';
import type { ValidPod } from '../../protocol/pod.js';
import type {
  EventSpec,
  HistoryAnchor,
  NodeExtra,
  NodeObject,
  PodExtra,
  RecordedPod,
} from '../objects.js';
import type { Starts } from './starts.js';
import { isLabelKey, isLabelValue } from '../selectors.js';
import { isFields, reportedDeletion, reportedStatus, strings } from './reported-status.js';
import { NO_ANCHOR } from './history-watch.js';
import { conditionsOf } from './node-conditions.js';
import { stillRetried } from '../rollout/retried.js';
import type { ObjectDraft, ReporterRecord } from '../store/store.js';

const ANNOTATION = {
  hash: 'kubernetes.io/config.hash',
  mirror: 'kubernetes.io/config.mirror',
  source: 'kubernetes.io/config.source',
} as const;

function seconds(at: string): string {
  return `${at.slice(0, 19)}Z`;
}

// ---------------------------------------------------------------------------------------------- node

export interface NodeSaid {
  readonly node: NodeObject;
  readonly reporter: ReporterRecord;
  /** Null: nothing new. */
  readonly status: StatusDocument | null;
  /** What the status speaks of and this hub did not make; null: nothing. */
  readonly ahead?: string | null;
  /** Key id of whoever signed the status. */
  readonly signedBy?: string;
  readonly starts?: Starts;
  /** The newest assignment that this hub made for it. */
  readonly anchor?: HistoryAnchor;
  readonly recorded: Readonly<Record<string, RecordedPod>>;
  /** RFC 3339, the hub's clock. */
  readonly now: string;
}

export function nodeDraft(said: NodeSaid): ObjectDraft {
  const { node, status, recorded } = said;
  const { metadata } = node;
  const reported = status ? nodeStatusOf(status) : node.status;
  const word = status ? extraOf(status, said) : { ...node.status.flotilla, recorded };
  const extra: NodeExtra = { ...word, starts: said.starts ?? [] };
  return {
    kind: 'Node',
    metadata: {
      namespace: '',
      name: metadata.name,
      labels: { ...metadata.labels, ...(status ? archLabel(status.info.architecture) : {}) },
      annotations: metadata.annotations,
    },
    spec: node.spec,
    status: { ...reported, conditions: conditionsOf(said), flotilla: extra },
  };
}

function archLabel(architecture: string): Record<string, string> {
  return architecture !== '' && isLabelValue(architecture)
    ? { 'kubernetes.io/arch': architecture }
    : {};
}

function nodeStatusOf({ info, capacity, allocatable }: StatusDocument): NodeStatus {
  return {
    addresses: info.addresses,
    capacity,
    allocatable,
    nodeInfo: {
      architecture: info.architecture,
      bootID: info.bootID,
      containerRuntimeVersion: info.containerRuntimeVersion,
      kernelVersion: info.kernelVersion,
      kubeProxyVersion: '',
      kubeletVersion: `v${info.agentVersion}`,
      machineID: info.machineID,
      operatingSystem: info.operatingSystem,
      osImage: info.osImage,
      systemUUID: info.machineID,
    },
  };
}

function extraOf(
  status: StatusDocument,
  {
    node,
    recorded,
    now,
    signedBy = '',
    anchor = NO_ANCHOR,
  }: Pick<NodeSaid, 'node' | 'recorded' | 'now' | 'signedBy' | 'anchor'>,
): NodeExtra {
  const { at, clockOffset, boot, counter } = status;
  const { row, head } = status.history;
  const retried = stillRetried(node.status.flotilla.retried ?? [], status.bundles);
  return {
    reportedAt: now,
    journal: status.journal,
    history: anchor,
    said: { at, clockOffset, boot, counter, history: { row, head }, signedBy },
    epoch: status.epoch,
    generation: status.generation,
    rootVersion: status.rootVersion,
    clock: status.clock,
    development: status.development,
    lastRefusal: status.lastRefusal,
    bundles: status.bundles,
    ...(status.keepAliveS ? { keepAliveS: status.keepAliveS } : {}),
    ...(status.usage ? { usage: status.usage } : {}),
    ...(status.holds ? { holds: status.holds } : {}),
    ...(retried.length > 0 ? { retried } : {}),
    pods: status.pods,
    recorded,
  };
}

// ----------------------------------------------------------------------------------------------- pod

export interface MirrorInput {
  readonly document: PodDocument;
  readonly digest: string;
  /** Of the object. */
  readonly name: string;
  /** For a pod of a bundle: its signed manifest; null when the hub has it no more. */
  readonly manifest: Pod | null;
}

/** The name that a pod gets where another node's pod has its own already. */
export function nameBeside(name: string, node: string): string {
  return `${name}-${sha256Hex(node).slice(0, 4)}`;
}

/** The manifest that a pod of a bundle came from: its name without the node's suffix. */
export function manifestOf(
  document: PodDocument,
  manifests: readonly BundleManifest[],
): Pod | null {
  const name = String((document.pod['metadata'] as { name?: string }).name ?? '');
  return (
    manifests
      .filter(isPod)
      .find(pod => podFullName(pod.metadata?.name ?? '', document.node) === name) ?? null
  );
}

/**
 * A mirror pod: the node's own, read-only here (kubelet behaviour rows 215–217). What the node says is taken field by
 * field: one that reports nonsense breaks nobody's list. The document's names are checked (`podKeyOf`).
 */
export function mirrorDraft({ document, digest, name, manifest }: MirrorInput): ObjectDraft {
  const said = isFields(document.pod['metadata']) ? document.pod['metadata'] : {};
  const annotations = {
    ...manifest?.metadata?.annotations,
    ...strings(said['annotations']),
  };
  const hash = annotations[ANNOTATION.hash] ?? digest.slice(0, 32);
  const status = reportedStatus(document.pod['status']);
  const collides = name !== said['name'];
  const deletion = reportedDeletion(said);
  const extra: PodExtra = {
    ...{ source: document.source, bundle: document.bundle, digest },
    ...(deletion === null ? {} : { deletion }),
  };
  return {
    kind: 'Pod',
    metadata: {
      namespace: String(said['namespace']),
      name,
      labels: soundLabels(manifest ? (manifest.metadata?.labels ?? {}) : strings(said['labels'])),
      annotations: {
        ...annotations,
        [ANNOTATION.hash]: hash,
        [ANNOTATION.mirror]: hash,
        [ANNOTATION.source]: annotations[ANNOTATION.source] ?? document.source,
      },
    },
    spec: { ...specOf(document, manifest, status), nodeName: document.node },
    status: {
      ...status,
      ...(collides
        ? { conditions: [...(status.conditions ?? []), nameTaken(String(said['name']))] }
        : {}),
      flotilla: extra,
    },
  };
}

function nameTaken(name: string): PodCondition {
  return {
    type: 'flotilla.dev/NameTaken',
    status: 'True',
    reason: 'OtherNode',
    message: `a pod of another node is shown as ${name} already; rename one of the two`,
  };
}

function soundLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(labels).filter(
    ([key, value]) => isLabelKey(key) && isLabelValue(value),
  );
  return Object.fromEntries(kept);
}

/** The manifest's; of a local pod what the node says, if that is a PodSpec; else what the status shows. */
function specOf({ pod }: PodDocument, manifest: Pod | null, status: PodStatus): PodSpec {
  const { spec } = pod;
  if (manifest) return withDefaults(manifest as ValidPod).spec;
  const candidate = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'any' }, spec };
  if (isFields(spec) && validatePod(candidate)) return spec as unknown as PodSpec;
  const containers = (status.containerStatuses ?? []).map(({ name, image }) => ({ name, image }));
  return { containers };
}

// --------------------------------------------------------------------------------------------- event

/** Named after its number, so that recording it twice is one event. `name` and `uid` are of the object that it is about. */
export function eventDraft(
  record: EventRecord,
  where: {
    readonly node: string;
    readonly journal: string;
    readonly name: string;
    readonly uid: string;
  },
): ObjectDraft {
  const { involved } = record;
  const namespace = LABEL_PATTERN.test(involved.namespace) ? involved.namespace : 'default';
  const spec: EventSpec = {
    involvedObject: {
      kind: involved.kind,
      namespace: involved.kind === 'Node' ? '' : namespace,
      name: where.name,
      uid: where.uid,
      fieldPath: involved.fieldPath,
    },
    reason: record.reason,
    message: record.message,
    type: record.type,
    source: { component: 'flotilla-agent', host: where.node },
    firstTimestamp: seconds(record.at),
    lastTimestamp: seconds(record.at),
    count: 1,
    flotilla: {
      ...{ node: where.node, journal: where.journal, n: record.n },
      ...(record.output === undefined ? {} : { output: record.output }),
    },
  };
  const name = `${where.node}.${where.journal.slice(0, 8)}.${record.n}`;
  return { kind: 'Event', metadata: { namespace, name }, spec, status: null };
}

/** The hub's own events about a node: it came, it went, it lost events. */
export function hubEventDraft(event: {
  readonly node: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** RFC 3339, with milliseconds: makes the name. */
  readonly now: string;
}): ObjectDraft {
  const { node, type, reason, message, now } = event;
  const spec: EventSpec = {
    involvedObject: { kind: 'Node', namespace: '', name: node, uid: node, fieldPath: '' },
    reason,
    message,
    type,
    source: { component: 'flotilla-hub', host: '' },
    firstTimestamp: seconds(now),
    lastTimestamp: seconds(now),
    count: 1,
    flotilla: { node, journal: '', n: 0 },
  };
  const name = `${node}.${reason.toLowerCase()}.${Date.parse(now).toString(36)}`;
  return { kind: 'Event', metadata: { namespace: 'default', name }, spec, status: null };
}
