/**
 * What the node says of itself, as pure functions: the pod documents, the status, batches of
 * events, each cut to what one message holds. A pod of a bundle carries metadata and status; a
 * local one also its spec, without env values; none the last words of its containers.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type {
  Condition,
  EventRecord,
  PodDocument,
  PodSummary,
  StatusDocument,
} from '../../protocol/documents/node.js';
import { PAYLOAD_BYTES_MAX } from '../../protocol/limits.js';
import type { PodReport, SourceCondition } from '../ports.js';
import { toldStatus } from './told-status.js';

/** What the stamp and the names around the content may take. */
const FRAME_BYTES = 2048;
const CONTENT_BYTES_MAX = PAYLOAD_BYTES_MAX - FRAME_BYTES;
export const REDACTED = '<redacted>';
/** `kubectl apply` keeps the whole manifest in it, env values included. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Envelope kinds that this agent reads. */
export const READS: StatusDocument['reads'] = {
  secret: [1],
  root: [1],
  bundle: [1],
  assignment: [1],
  hub: [1],
  answer: [1],
  time: [1],
  ack: [1],
  command: [1],
};

type Json = Record<string, unknown>;

/** In whatever order the keys stand. */
function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

// ----------------------------------------------------------------------------------------------
// pods

export interface ToldPod {
  readonly key: string;
  readonly source: PodDocument['source'];
  /** As it travels. */
  readonly pod: Json;
  readonly summary: PodSummary;
}

/**
 * A pod as it is told: cut until one message holds it, so that one large pod never silences the
 * rest.
 */
export function toldPod(report: PodReport): ToldPod {
  const pod = fittedPod(report);
  const phases = ['Pending', 'Running', 'Succeeded', 'Failed'] as const;
  const phase = phases.find(known => known === report.pod.status?.phase) ?? 'Unknown';
  const ready = (report.pod.status?.conditions ?? []).some(
    condition => condition.type === 'Ready' && condition.status === 'True',
  );
  const digest = sha256Hex(canonicalJson(pod));
  return { key: report.key, source: report.source, pod, summary: { digest, phase, ready } };
}

function fittedPod({ pod, bundle }: PodReport): Json {
  const spec = bundle === null ? redactedSpec(pod) : undefined;
  const annotations = { ...pod.metadata?.annotations };
  delete annotations[LAST_APPLIED];
  const metadata = { ...pod.metadata, annotations, managedFields: undefined };
  const base = { apiVersion: 'v1', kind: 'Pod' };
  const { uid, name, namespace, labels } = metadata;
  const bare = { uid, name, namespace };
  const status = pod.status && toldStatus(pod.status);
  const forms: Json[] = [
    { ...base, metadata, spec, status },
    { ...base, metadata: { ...metadata, annotations: undefined }, spec, status },
    { ...base, metadata: { ...bare, labels }, status },
    { ...base, metadata: bare, status: shortStatus(pod) },
  ];
  for (const form of forms) {
    const plain = wellFormed(form);
    if (bytesOf(plain) <= CONTENT_BYTES_MAX) return plain;
  }
  return wellFormed({ ...base, metadata: bare, status: { phase: pod.status?.phase } });
}

/** Lone surrogates, as `JSON.stringify` writes them; what a string itself says so is looked at for nothing. */
const LONE_SURROGATE = /\\ud[89a-f]/;

/** Plain JSON without lone surrogates: the wire refuses those. */
function wellFormed(value: Json): Json {
  const text = JSON.stringify(value);
  if (!LONE_SURROGATE.test(text)) return JSON.parse(text) as Json;
  return JSON.parse(
    JSON.stringify(value, (_, member: unknown) =>
      typeof member === 'string' ? member.toWellFormed() : member,
    ),
  ) as Json;
}

function redactedSpec({ spec }: Pod): Json | undefined {
  if (!spec) return undefined;
  const redact = <T extends { env?: { value?: string }[] }>(containers: T[] | undefined) =>
    containers?.map(container => ({
      ...container,
      ...(container.env && {
        env: container.env.map(env =>
          env.value === undefined ? env : { ...env, value: REDACTED },
        ),
      }),
    }));
  return {
    ...spec,
    containers: redact(spec.containers),
    initContainers: redact(spec.initContainers),
    ephemeralContainers: redact(spec.ephemeralContainers),
  };
}

function shortStatus({ status }: Pod): Json {
  const short = (text: string | undefined) => text?.slice(0, 128);
  return {
    phase: status?.phase,
    reason: short(status?.reason),
    message: short(status?.message),
    podIP: status?.podIP,
    startTime: status?.startTime,
    containerStatuses: status?.containerStatuses?.slice(0, 64).map(container => ({
      name: container.name,
      ready: container.ready,
      restartCount: container.restartCount,
      image: short(container.image),
    })),
  };
}

// --------------------------------------------------------------------------------------------
// status

/**
 * Each condition with the time of its last change of status; `before` is what was said last. A type
 * stands once, as in Kubernetes: what is said of it several times (one refused file each) is one
 * message, with the reason of the first.
 */
export function conditionsSince(
  current: readonly SourceCondition[],
  before: readonly Condition[],
  at: string,
): Condition[] {
  const byType = new Map<string, SourceCondition>();
  for (const condition of current) {
    const same = byType.get(condition.type);
    const message = same ? `${same.message}; ${condition.message}` : condition.message;
    byType.set(condition.type, { ...(same ?? condition), message });
  }
  return [...byType.values()].slice(0, 32).map(({ type, status, reason, message }) => {
    const last = before.find(condition => condition.type === type && condition.status === status);
    return {
      type: type.slice(0, 64),
      status,
      reason: reason.slice(0, 128),
      message: message.slice(0, 1024).toWellFormed(),
      lastTransitionTime: last?.lastTransitionTime ?? at,
    };
  });
}

/** Milliseconds since 1970 as the wire has them. */
export function iso(at: number): string {
  return new Date(at).toISOString();
}

/** The same, after the time on which they stand moved. */
export function shifted(conditions: readonly Condition[], ms: number): Condition[] {
  return conditions.map(condition => {
    const at = Date.parse(condition.lastTransitionTime) + ms;
    return { ...condition, lastTransitionTime: new Date(at).toISOString() };
  });
}

/** What makes one status different from another: not its number, not its time, not what was used or is held meanwhile. */
export function statusVersion({ usage: _usage, holds: _holds, ...status }: StatusDocument): string {
  const history = { ...status.history, known: null };
  return sha256Hex(canonicalJson({ ...status, history, counter: 0, at: '' }));
}

/**
 * A status that one message holds. What the node holds goes first, then long sentences; only then pods, which makes them vanish
 * at the hub: said by a condition.
 */
export function fittedStatus(status: StatusDocument): StatusDocument {
  if (bytesOf(status) <= CONTENT_BYTES_MAX) return status;
  // It is told by others, too; what runs is not.
  const { holds: _holds, ...rest } = status;
  if (bytesOf(rest) <= CONTENT_BYTES_MAX) return rest;
  const short = {
    ...rest,
    bundles: status.bundles.map(bundle => ({ ...bundle, message: bundle.message.slice(0, 64) })),
    conditions: status.conditions.map(condition => ({
      ...condition,
      message: condition.message.slice(0, 128),
    })),
  };
  if (bytesOf(short) <= CONTENT_BYTES_MAX) return short;
  const names = Object.keys(short.pods).sort();
  const room = CONTENT_BYTES_MAX - bytesOf({ ...short, pods: {} }) - 512;
  const pods: Record<string, PodSummary> = {};
  for (let used = 0, i = 0; i < names.length; i++) {
    const name = names[i] ?? '';
    const summary = short.pods[name];
    if (!summary) continue;
    used += bytesOf({ [name]: summary });
    if (used > room) break;
    pods[name] = summary;
  }
  const message = `${Object.keys(pods).length} of ${names.length} pods are told`;
  const truncated: Condition = {
    type: 'StatusTruncated',
    status: 'True',
    reason: 'TooManyPods',
    message,
    lastTransitionTime: status.at,
  };
  return { ...short, pods, conditions: [...short.conditions.slice(0, 31), truncated] };
}

// --------------------------------------------------------------------------------------------
// events

/** Of one batch: a status that became new meanwhile waits for a few of them at most. */
const EVENTS_BYTES_MAX = 24 * 1024;

/** The first events that fit into one message: at least one. */
export function eventBatch(events: readonly EventRecord[]): EventRecord[] {
  const batch: EventRecord[] = [];
  let used = 0;
  for (const event of events.slice(0, 128)) {
    used += bytesOf(event) + 1;
    if (batch.length > 0 && used > EVENTS_BYTES_MAX) break;
    batch.push(event);
  }
  return batch;
}
