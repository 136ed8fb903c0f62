/** The Tables of Flotilla's own kinds, bundles and tokens, and of the derived namespaces. */
import type {
  BundleObjectStatus,
  BundleRollout,
  BundleSpec,
  SecretSpec,
  SecretStatus,
  TokenSpec,
  TokenStatus,
} from '../../objects.js';
import { HELD_ANNOTATION } from '../../recovery/held-annotation.js';
import type { ApiObject } from '../api-object.js';
import { age, humanDuration } from '../../../protocol/human-duration.js';
import { column, integerColumn, nameColumn, orNone, wideColumn, type TableShape } from './table.js';

const DIGEST_SHOWN = 12;

/** `Progressing (wave 2/3)`; of a bundle whose newest revision went at once: null. */
function phaseOf(rollout: BundleRollout | undefined): string | null {
  if (rollout === undefined) return null;
  const { phase, reason, wave, waves, goingBack = 0 } = rollout;
  const at = `wave ${Math.max(1, wave)}/${waves}`;
  if (phase === 'completed') return 'Complete';
  if (phase === 'aborted') return goingBack > 0 ? 'RollingBack' : 'Aborted';
  if (phase === 'paused') return `Paused (${at})`;
  return `Progressing (${at}${reason === 'Promotion' ? ', to be promoted' : ''})`;
}

/** Its rollout's phase, and what is not as it should be; reasons stand in the conditions, and in what each node says. */
function bundleState({ metadata, status }: ApiObject, nowMs: number): string {
  const { conditions = [], waiting, nodes, rollout, ...counts } = status as BundleObjectStatus;
  if (conditions.some(({ type }) => type === 'Withdrawn')) return 'Withdrawn';
  if (Object.hasOwn(metadata.annotations ?? {}, HELD_ANNOTATION)) return 'Held';
  const {
    undone = 0,
    held = 0,
    locked = 0,
    notUndoReady = 0,
    obstructed = 0,
    unknown = 0,
  } = counts;
  const people = { failed: nodes.failed, undone, held, locked, 'not undo-ready': notUndoReady };
  const others = Object.entries({ ...people, waiting: obstructed, unknown });
  const isAlone = others.every(([, n]) => n === 0);
  const parts = [...others, ...(isAlone ? [] : [['window', waiting?.nodes ?? 0] as const])]
    .filter(([, n]) => n > 0)
    .map(([what, n]) => `${what} on ${n} ${n === 1 ? 'node' : 'nodes'}`)
    .join(', ');
  const phase = phaseOf(rollout);
  const more = parts === '' && waiting !== undefined ? windowText(waiting, nowMs) : parts;
  if (phase !== null) return more === '' ? phase : `${phase}, ${more}`;
  if (more === '') return plainState(nodes);
  return `${more.charAt(0).toUpperCase()}${more.slice(1)}`;
}

/** Of one that went to all at once, and that nothing is known to stand in the way of. */
function plainState({ desired, healthy }: BundleObjectStatus['nodes']): string {
  if (desired === 0) return 'NoNodes';
  return healthy >= desired ? 'Active' : 'Progressing';
}

function windowText({ opensAt }: { readonly opensAt: string | null }, nowMs: number): string {
  if (opensAt === null) return 'window';
  return `window (opens in ${humanDuration(Math.max(0, Date.parse(opensAt) - nowMs))})`;
}

export const BUNDLE_TABLE: TableShape = {
  columns: [
    nameColumn(),
    integerColumn('Revision', 'Newest revision'),
    integerColumn('Desired', 'Nodes that the selector matches'),
    integerColumn('Updated', 'Nodes that accepted the newest revision'),
    integerColumn('Healthy', 'Nodes where it is healthy'),
    integerColumn('Failed', 'Nodes where it failed'),
    integerColumn('Offline', 'Nodes that are not connected'),
    column(
      'Status',
      'Active: it is healthy on all its nodes; Progressing: not yet, or not now; NoNodes: its selector matches none; of a rollout Progressing, Paused, RollingBack, Aborted or Complete; or Withdrawn by the root, Held after a restore: nobody begins with it; on how many nodes it failed, was undone or is held by people there, is kept waiting by a pod (locked), could not be undone where it has to be, waits, or is in a state that nobody knows; Window: nodes wait for one',
    ),
    column('Age', 'Time since the bundle was made'),
    wideColumn('Selector', 'Nodes that are to run it'),
    wideColumn('Digest', 'Begin of the digest of the newest revision'),
  ],
  cells(object, nowMs) {
    const spec = object['spec'] as BundleSpec;
    const { revision, digest, nodes } = object['status'] as BundleObjectStatus;
    return [
      object.metadata.name,
      revision,
      nodes.desired,
      nodes.updated,
      nodes.healthy,
      nodes.failed,
      nodes.offline,
      bundleState(object, nowMs),
      age(object.metadata.creationTimestamp, nowMs),
      spec.nodeSelector === '' ? '<all>' : spec.nodeSelector,
      digest.slice(0, DIGEST_SHOWN),
    ];
  },
};

const USERS_SHOWN = 3;

function usersOf({ usedBy }: TokenStatus): string {
  const names = usedBy.slice(0, USERS_SHOWN).map(({ node }) => node);
  const more = usedBy.length - names.length;
  return [...names, ...(more > 0 ? [`${more} more`] : [])].join(',');
}

export const TOKEN_TABLE: TableShape = {
  columns: [
    nameColumn(),
    column('Labels', 'Labels that the node will get'),
    column('Nodes', 'Names that it lets in'),
    column('Expires', 'Time left'),
    column('Used', 'How many devices joined with it, of how many'),
    column('Approve', 'Whether a person has to approve each device'),
    column('Used-By', 'Nodes that joined with it'),
    column('Age', 'Time since it was made'),
  ],
  cells(object, nowMs) {
    const spec = object['spec'] as Omit<TokenSpec, 'secretHash'>;
    const status = object['status'] as TokenStatus;
    const leftMs = Date.parse(spec.expiresAt) - nowMs;
    const labels = Object.entries(spec.labels).map(([key, value]) => `${key}=${value}`);
    return [
      object.metadata.name,
      orNone(labels.sort().join(',')),
      spec.nodes.join(',') || '<any>',
      leftMs > 0 ? humanDuration(leftMs) : '<expired>',
      `${status.usedBy.length}/${spec.uses}`,
      spec.approve ? 'yes' : 'no',
      orNone(usersOf(status)),
      age(object.metadata.creationTimestamp, nowMs),
    ];
  },
};

const NODES_SHOWN = 3;

function shownNodes({ lacking, lackingNodes }: SecretStatus): string {
  const shown = lackingNodes.slice(0, NODES_SHOWN).join(',');
  return orNone(lacking > NODES_SHOWN ? `${shown} and ${lacking - NODES_SHOWN} more` : shown);
}

export const SECRET_TABLE: TableShape = {
  columns: [
    { ...nameColumn(), description: 'BUNDLE.SECRET: by this it is got and deleted' },
    column('Bundle', 'Bundle whose pods see it'),
    column('Type', 'Type of the Secret'),
    integerColumn('Version', 'Newest version'),
    integerColumn('Sealed', 'Nodes that it is sealed for'),
    integerColumn('Lacking', 'Nodes that are to have it and have not'),
    column('Nodes', 'Those that lack it'),
    column('Age', 'Time since it was made'),
    wideColumn('Keys', 'Names of its keys'),
  ],
  cells(object, nowMs) {
    const { bundle, type, version, keys } = object['spec'] as SecretSpec;
    const status = object['status'] as SecretStatus;
    return [
      object.metadata.name,
      bundle,
      type,
      version,
      status.sealed,
      status.lacking,
      shownNodes(status),
      age(object.metadata.creationTimestamp, nowMs),
      orNone(keys.join(',')),
    ];
  },
};

export const NAMESPACE_TABLE: TableShape = {
  columns: [
    nameColumn(),
    column('Status', 'Always Active'),
    column('Age', 'Age of the oldest object in it'),
  ],
  cells(object, nowMs) {
    return [object.metadata.name, 'Active', age(object.metadata.creationTimestamp, nowMs)];
  },
};
