/**
 * The Node object of a node that has joined and not yet spoken, as the kubelet's registration
 * leaves it. Pure.
 */
import type { NodeObject } from '../objects.js';
import type { ObjectDraft } from '../store/store.js';

const HOSTNAME = 'kubernetes.io/hostname';
const OS = 'kubernetes.io/os';
const ARCH = 'kubernetes.io/arch';

/** Set from what the node is, not from a token. */
export const RESERVED_LABELS: ReadonlySet<string> = new Set([HOSTNAME, OS, ARCH]);
/** Id of the token that the node came with. */
export const TOKEN_ANNOTATION = 'flotilla.dev/token';

export type NodeDraft = ObjectDraft<NodeObject['spec'], NodeObject['status']> & {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
};

/**
 * `existing`: the same device joins again; what it reported stays, labels of the new token are
 * added. The architecture comes with its first status.
 */
export function joinedNode(joined: {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly token: string;
  /** RFC 3339. */
  readonly now: string;
  readonly existing: NodeObject | null;
}): NodeDraft {
  const { name, existing } = joined;
  return {
    kind: 'Node',
    metadata: {
      namespace: '',
      name,
      labels: { ...existing?.metadata.labels, ...joined.labels, [HOSTNAME]: name, [OS]: 'linux' },
      annotations: { ...existing?.metadata.annotations, [TOKEN_ANNOTATION]: joined.token },
    },
    spec: existing?.spec ?? {},
    status: existing?.status ?? neverReported(joined.now),
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
