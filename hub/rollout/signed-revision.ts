/**
 * A revision that was signed elsewhere becomes one of the hub's: accepted by the rules that nodes go by, and in order. Another
 * content for a number that is known is refused, and so is what is older than the newest.
 */
import { topicsOf } from '../../protocol/topics.js';
import type { Refusal, RefusalCode } from '../../protocol/refusal.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { BUNDLE_BYTES_MAX } from '../../protocol/limits.js';
import { RequestError, type RequestReason } from '../ports.js';
import { acceptBundleFile } from '../signing/accept-bundle.js';
import { envelopeOfFile, SIGNATURES_MAX, type BundleFile } from '../signing/bundle-file.js';
import type { Actor, RevisionRecord } from '../store/store.js';
import type { ApplyParts } from './apply.js';
import { revisionMutations, type Revised } from './revise.js';

/** Whoever sends it cannot mend it: somebody has to sign, or build anew. */
const FORBIDDEN: ReadonlySet<RefusalCode> = new Set([
  'BadSignature',
  'Denied',
  'OutOfScope',
  'Rollback',
  'WrongFleet',
]);

/** Throws `RequestError`: Forbidden, Invalid, Conflict. The same again gives what changes nothing. */
export async function signedRevision(
  { store, root, clock }: ApplyParts,
  actor: Actor,
  file: BundleFile,
): Promise<Revised> {
  const accepted = acceptBundleFile(file, root());
  if (!accepted.ok) throw refused(accepted.refusal);
  const { document, digest } = file;
  const { namespace, name, revision, rollbackFloor, fleet } = document;
  const former = await store.revisions(namespace, name);
  const newest = Math.max(0, ...former.map(record => record.revision));
  const known = former.find(record => record.revision === revision);
  const conflict = orderFault({ file, newest, known });
  if (conflict !== null) throw new RequestError('Conflict', conflict);
  const envelope = known ? envelopeOfFile(joined(file, known)) : envelopeOfFile(file);
  const mutations = revisionMutations(file, {
    topics: topicsOf(fleet),
    envelope,
    createdBy: actor.name,
    createdAt: new Date(clock.now()).toISOString(),
  });
  return { revision, digest, rollbackFloor, mutations };
}

function orderFault(order: {
  readonly file: BundleFile;
  readonly newest: number;
  readonly known: RevisionRecord | undefined;
}): string | null {
  const { file, newest, known } = order;
  const { namespace, name, revision } = file.document;
  const what = `bundle ${namespace}/${name}`;
  if (known && known.digest !== file.digest) {
    return (
      `${what}: revision ${revision} is known with another content (Equivocation): here ${known.digest}, ` +
      `in the file ${file.digest}; build it anew as revision ${newest + 1}`
    );
  }
  if (revision >= newest) return null;
  return (
    `${what}: revision ${revision} is older than ${newest}, the newest (Rollback); ` +
    `build it anew as revision ${newest + 1}`
  );
}

/** Signatures that the hub has and the file has not are kept: both may be needed under another root. */
function joined(
  file: BundleFile,
  known: RevisionRecord,
): Pick<BundleFile, 'payload' | 'signatures'> {
  const bytesMax = 2 * BUNDLE_BYTES_MAX;
  const opened = openEnvelope(known.envelope, { kind: 'bundle', bytesMax });
  const ids = new Set(file.signatures.map(({ keyid }) => keyid));
  const kept = (opened.ok ? opened.value.signatures : [])
    .filter(({ keyid }) => !ids.has(keyid))
    .map(({ keyid, sig }) => ({ keyid, sig: sig.toString('base64') }));
  const signatures = [...file.signatures, ...kept].slice(0, SIGNATURES_MAX);
  return { payload: file.payload, signatures };
}

function refused({ code, detail }: Refusal): RequestError {
  const reason: RequestReason = FORBIDDEN.has(code) ? 'Forbidden' : 'Invalid';
  return new RequestError(reason, `${detail} (${code})`);
}
