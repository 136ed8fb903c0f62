/**
 * The Node object of a node that has joined and not yet spoken, as the kubelet's registration
 * leaves it. Pure.
 */
import type { NodeCondition } from 'kubernetes-types/core/v1.js';
import { keyId } from '../../protocol/keys.js';
import type { NodeObject } from '../objects.js';
import type { IdentityRecord, ObjectDraft } from '../store/store.js';
import { isStandingCondition, standingConditions } from './standing-conditions.js';

const HOSTNAME = 'kubernetes.io/hostname';
const OS = 'kubernetes.io/os';
const ARCH = 'kubernetes.io/arch';

/** Set from what the node is, not from a token. */
export const RESERVED_LABELS: ReadonlySet<string> = new Set([HOSTNAME, OS, ARCH]);
/** Id of the token that the node came with. */
export const TOKEN_ANNOTATION = 'flotilla.dev/token';
/** `sha256:` and the key id of its identity key: what a person compares. */
export const KEY_ANNOTATION = 'flotilla.dev/node-key';

export type NodeDraft = ObjectDraft<NodeObject['spec'], NodeObject['status']> & {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
};

/** What a node enrols with: the labels of its token, and what it is by itself. */
export function enrolledLabels(
  node: string,
  labels: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return { ...labels, [HOSTNAME]: node, [OS]: 'linux' };
}

/**
 * `existing`: the name is known; the labels of the enrolment are added. What the same device reported stays; of what one with another key
 * said nothing is true of this one, but for the pods that the hub has on record. The architecture comes with the first status.
 */
export function joinedNode(joined: {
  readonly identity: IdentityRecord;
  /** RFC 3339. */
  readonly now: string;
  readonly existing: NodeObject | null;
}): NodeDraft {
  const { identity, existing, now } = joined;
  const { node: name, labels, token } = identity;
  const isSame = existing?.metadata.annotations[KEY_ANNOTATION] === fingerprintOf(identity);
  const object = {
    spec: existing?.spec ?? {},
    status:
      existing === null ? neverReported(now) : isSame ? existing.status : unsaid(existing, now),
    metadata: {
      name,
      labels: { ...existing?.metadata.labels, ...labels },
      annotations: { ...existing?.metadata.annotations, [TOKEN_ANNOTATION]: token },
    },
  };
  return withIdentity(object, identity, now);
}

/** The Node as it is, with the standing and the key of its identity. */
export function withIdentity(
  object: Pick<NodeObject, 'spec' | 'status'> & {
    readonly metadata: Pick<NodeObject['metadata'], 'name' | 'labels' | 'annotations'>;
  },
  identity: IdentityRecord,
  now: string,
): NodeDraft {
  const { metadata, spec, status } = object;
  const before = status.conditions ?? [];
  const key = identity.identityKey === '' ? {} : { [KEY_ANNOTATION]: fingerprintOf(identity) };
  const others = before.filter(condition => !isStandingCondition(condition));
  return {
    kind: 'Node',
    metadata: {
      namespace: '',
      name: metadata.name,
      labels: metadata.labels,
      annotations: { ...metadata.annotations, ...key },
    },
    spec,
    status: {
      ...status,
      conditions: [
        ...(identity.state === 'active'
          ? others
          : others.map(condition => shutOut(condition, now))),
        ...standingConditions(identity, { before, now }),
      ],
    },
  };
}

/** Nothing is heard of a node that is not let in. */
function shutOut(condition: NodeCondition, now: string): NodeCondition {
  if (condition.type !== 'Ready' || condition.status === 'Unknown') return condition;
  return {
    ...condition,
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'not let in; its pods run on, what is shown of them is as old',
    lastTransitionTime: `${now.slice(0, 19)}Z`,
  };
}

function fingerprintOf({ identityKey }: IdentityRecord): string {
  return `sha256:${keyId(identityKey)}`;
}

function unsaid({ status }: NodeObject, now: string): NodeObject['status'] {
  const { said: _said, ...kept } = status.flotilla;
  const { conditions, flotilla } = neverReported(now);
  const { reportedAt, clock, lastRefusal, bundles } = flotilla;
  return {
    ...status,
    ...(conditions === undefined ? {} : { conditions }),
    flotilla: { ...kept, reportedAt, clock, lastRefusal, bundles },
  };
}

/** The node controller's words for a node whose kubelet never posted. */
function neverReported(now: string): NodeObject['status'] {
  return {
    conditions: [
      {
        type: 'Ready',
        status: 'Unknown',
        reason: 'NodeStatusNeverUpdated',
        message: 'The agent has not reported yet.',
        lastHeartbeatTime: now,
        lastTransitionTime: now,
      },
    ],
    flotilla: {
      reportedAt: null,
      journal: null,
      epoch: 0,
      generation: 0,
      rootVersion: 0,
      clock: null,
      development: false,
      lastRefusal: null,
      bundles: [],
      pods: {},
      recorded: {},
    },
  };
}
