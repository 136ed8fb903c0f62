/**
 * Which revisions the root in force withdraws: by its denials and floors, and by naming other release keys than those that signed.
 * Whoever has one may keep it (S19), nobody begins with it; here it is decided what the hub says of it, and how to go on. Pure.
 */
import type { RootDocument } from '../../protocol/documents/root.js';
import { BUNDLE_BYTES_MAX } from '../../protocol/limits.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { envelopeBytesMax } from '../../protocol/verified.js';
import type { BundleCondition, BundleObjectStatus } from '../objects.js';
import { countBundleSignatures } from '../signing/signature-count.js';
import type { RevisionRecord } from '../store/store.js';

/** `Denied` and `BelowFloor` are for ever; what is `NotSigned` can be signed again. */
export type WithdrawnReason = 'Denied' | 'BelowFloor' | 'NotSigned';

export interface Withdrawal {
  readonly reason: WithdrawnReason;
  /** What the root says against it. */
  readonly message: string;
}

type Withdrawing = Pick<RootDocument, 'denied' | 'floors'>;

/** By what the root says of revisions, whoever signed them. */
export function isDenied(
  root: Withdrawing,
  of: {
    readonly namespace: string;
    readonly name: string;
    readonly revision: number;
    readonly digest: string;
  },
): 'Denied' | 'BelowFloor' | null {
  if (root.denied.includes(of.digest)) return 'Denied';
  return of.revision < (root.floors[`${of.namespace}/${of.name}`] ?? 0) ? 'BelowFloor' : null;
}

type Kept = Pick<RevisionRecord, 'namespace' | 'bundle' | 'revision' | 'digest' | 'envelope'>;

/** Null: the root lets nodes begin with it. */
export function withdrawalOf(
  root: RootDocument,
  record: Kept,
  count: () => SignatureCount = () => signaturesOn(root, record),
): Withdrawal | null {
  const { namespace, bundle: name, revision, digest } = record;
  const denied = isDenied(root, { namespace, name, revision, digest });
  if (denied === 'Denied') {
    return { reason: denied, message: `root ${root.version} denies its digest` };
  }
  if (denied === 'BelowFloor') {
    const floor = root.floors[`${namespace}/${name}`] ?? 0;
    return { reason: denied, message: `it lies below ${floor}, the floor of root ${root.version}` };
  }
  const { role, have, need } = count();
  if (role !== null && have >= need) return null;
  const why =
    role === null
      ? `root ${root.version} names no release role for it`
      : `${have} of the ${need} signatures by release keys that root ${root.version} wants`;
  return { reason: 'NotSigned', message: why };
}

type SignatureCount = ReturnType<typeof signaturesOn>;

/** Whose signatures a revision bears, seen from a root; damaged in the store: nobody's. */
export function signaturesOn(root: RootDocument, { namespace, bundle: name, envelope }: Kept) {
  const bytesMax = envelopeBytesMax(BUNDLE_BYTES_MAX);
  const opened = openEnvelope(envelope, { kind: 'bundle', bytesMax });
  const { payload, signatures } = opened.ok
    ? opened.value
    : { payload: new Uint8Array(), signatures: [] };
  const texts = signatures.map(({ keyid, sig }) => ({ keyid, sig: sig.toString('base64') }));
  return countBundleSignatures(root, { payload, signatures: texts, namespace, name });
}

/** What can be done about it, as commands; words in capitals are for the person to fill in. */
export function remedyOf(
  { reason }: Withdrawal,
  { namespace, bundle }: Pick<Kept, 'namespace' | 'bundle'>,
): string {
  const what = `-f MANIFESTS --bundle ${bundle} -n ${namespace}`;
  if (reason !== 'NotSigned') return `apply another revision: flotilla apply ${what}`;
  const file = `${bundle}.bundle`;
  return (
    `build it anew, have it signed and apply it: flotilla bundle build ${what} -o ${file}; ` +
    `flotilla bundle sign ${file} --key KEY; flotilla apply -f ${file}; ` +
    `or, where this hub holds a release key, only: flotilla apply ${what}`
  );
}

/** What a bundle's status says of its newest revision. `former`: what it said before, for the time of a condition that stays. */
export function standingOf(
  root: RootDocument,
  record: Kept,
  { former, now }: { readonly former: BundleObjectStatus | null; readonly now: number },
): Required<Pick<BundleObjectStatus, 'conditions' | 'signedBy'>> {
  const count = signaturesOn(root, record);
  const signedBy = count.verdicts
    .filter(({ verdict }) => verdict === 'good')
    .map(({ keyid }) => keyid)
    .sort();
  const withdrawal = withdrawalOf(root, record, () => count);
  if (withdrawal === null) return { conditions: [], signedBy };
  const { reason } = withdrawal;
  const message = `${withdrawal.message}; ${remedyOf(withdrawal, record)}`;
  const known = former?.conditions?.find(c => c.type === 'Withdrawn' && c.reason === reason);
  const lastTransitionTime =
    known?.lastTransitionTime ?? `${new Date(now).toISOString().slice(0, 19)}Z`;
  const condition: BundleCondition = {
    ...{ type: 'Withdrawn', status: 'True', reason, message, lastTransitionTime },
  };
  return { conditions: [condition], signedBy };
}

/** A revision that the root withdraws, and who runs it all the same. */
export interface WithdrawnRevision {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly digest: string;
  readonly reason: WithdrawnReason;
  /** It is the bundle's newest: until it is replaced, nobody begins with the bundle. */
  readonly newest: boolean;
  /** Names of the members in whose directory it lies, as they said last. */
  readonly nodes: readonly string[];
  /** The same of nodes that were shut out: whatever the hub publishes does not reach them. */
  readonly revoked: readonly string[];
}

const NODES_SHOWN = 5;

function namesOf(nodes: readonly string[]): string {
  const more = nodes.length > NODES_SHOWN ? ` and ${nodes.length - NODES_SHOWN} more` : '';
  return `${nodes.slice(0, NODES_SHOWN).join(', ')}${more}`;
}

/** A sentence for a person: what, why, where it runs, what to do. */
export function withdrawnText(
  { namespace, name, revision, newest, nodes, revoked }: WithdrawnRevision,
  withdrawal: Withdrawal,
): string {
  const what = `bundle ${namespace}/${name}: revision ${revision}`;
  const verb =
    withdrawal.reason === 'NotSigned'
      ? 'is not signed by enough of the release keys in force'
      : 'is withdrawn';
  const where = nodes.length === 0 ? 'no node runs it' : `it still runs on ${namesOf(nodes)}`;
  const next = newest
    ? `no node begins with it; ${remedyOf(withdrawal, { namespace, bundle: name })}`
    : 'a newer one takes its place there';
  const there = newest || nodes.length > 0 ? [`${where}, ${next}`] : [];
  return `${what} ${verb} (${withdrawal.message}): ${[...there, ...revokedText(revoked)].join('; ')}`;
}

/** Where it ran when the node was shut out: nothing from here ends it. */
function revokedText(revoked: readonly string[]): string[] {
  if (revoked.length === 0) return [];
  const it = revoked.length === 1 ? 'it' : 'them';
  return [
    `it ran on ${namesOf(revoked)}, revoked since: whatever is published here does not reach ${it}, so it may run on there ` +
      `until somebody types there: flotilla-agent leave; to forget ${it} here: flotilla delete node ${revoked.slice(0, NODES_SHOWN).join(' ')}`,
  ];
}
