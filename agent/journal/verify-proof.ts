/**
 * Whether a journal holds together: the chain of its history, the chain of its roots, the signatures of what it accepted, and that
 * history tells of all of it. Pure: the same for the file on a node and for an export that was carried elsewhere.
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { openEnvelope, type DocumentKind } from '../../protocol/envelope.js';
import { BUNDLE_BYTES_MAX } from '../../protocol/limits.js';
import { envelopeBytesMax, signedBy, type TrustedRoot } from '../../protocol/verified.js';
import { releaseRoleOf } from '../../protocol/verify-bundle.js';
import { openNextRoot, openPinnedRoot } from '../../protocol/verify-root.js';
import { firstMisfit } from './chain.js';
import type { HistoryEntry } from './history.js';
import type { JournalProof, KeptAssignment, KeptRevision } from './proof.js';

/** Nothing in a line is secret. */
export type Finding = string;

export interface Verdict {
  /** Empty: the journal verifies. */
  readonly findings: readonly Finding[];
  /** Hash of the newest row; null without one. */
  readonly head: string | null;
}

/** `head`: one that was heard of before, from the node's status at the hub or an older export; null asks for nothing. */
export function verifyProof(proof: JournalProof, head: string | null): Verdict {
  const roots: TrustedRoot[] = [];
  const findings = [
    ...historyFindings(proof, head),
    ...rootFindings(proof, roots),
    ...proof.assignments.flatMap(one => assignmentFindings(one, roots)),
    ...proof.revisions.flatMap(one => revisionFindings(one, roots)),
    ...untold(proof),
  ];
  return { findings, head: proof.history.at(-1)?.hash ?? null };
}

function historyFindings({ history, appended }: JournalProof, head: string | null): Finding[] {
  const misfit = firstMisfit(history, appended);
  const findings = misfit === null ? [] : [`history, row ${misfit.n}: ${misfit.why}`];
  if (head === null || history.some(({ hash }) => hash === head)) return findings;
  const first = history[0]?.n ?? 0;
  const older = first > 1 ? `, unless that was before row ${first}, the oldest that is kept` : '';
  return [
    ...findings,
    `history: no row has the hash ${head}: it was written anew since that was its head${older}`,
  ];
}

/** Each signed by the one before it; the first that is kept stands for itself. */
function rootFindings({ roots }: JournalProof, trusted: TrustedRoot[]): Finding[] {
  for (const { version, digest, envelope } of roots) {
    const bytes = Buffer.from(envelope, 'base64');
    const before = trusted.at(-1);
    const opened = before ? openNextRoot(bytes, before) : openPinnedRoot(bytes, digest);
    if (!opened.ok) {
      return [`root ${version}: ${opened.refusal.detail} (${opened.refusal.code})`];
    }
    if (opened.value.digest !== digest || opened.value.document.version !== version) {
      return [`root ${version}: is another one than the journal accepted`];
    }
    trusted.push(opened.value);
  }
  return [];
}

/** The document in an envelope, if it is the one that the journal names and a role of some root that is kept signed it. */
function openKept<T>(
  kind: DocumentKind,
  { digest, envelope }: { readonly digest: string; readonly envelope: string },
  isSigned: (opened: Parameters<typeof signedBy>[1]) => boolean,
): T | string {
  const bytesMax = envelopeBytesMax(BUNDLE_BYTES_MAX);
  const opened = openEnvelope(Buffer.from(envelope, 'base64'), { kind, bytesMax });
  if (!opened.ok) return `${opened.refusal.detail} (${opened.refusal.code})`;
  const { payload } = opened.value;
  if (sha256Hex(payload) !== digest) return 'is not the document that was accepted';
  if (!isSigned(opened.value)) return 'not signed by the role responsible for it in any root kept';
  return JSON.parse(payload.toString('utf8')) as T;
}

function assignmentFindings(kept: KeptAssignment, roots: readonly TrustedRoot[]): Finding[] {
  const what = `assignment ${kept.epoch}/${kept.generation}`;
  const opened = openKept<AssignmentDocument>('assignment', kept, envelope =>
    roots.some(({ document }) => signedBy('assignment', envelope, document, document.roles.hub)),
  );
  if (typeof opened === 'string') return [`${what}: ${opened}`];
  const isNamed = opened.epoch === kept.epoch && opened.generation === kept.generation;
  return isNamed ? [] : [`${what}: bears another number`];
}

function revisionFindings(kept: KeptRevision, roots: readonly TrustedRoot[]): Finding[] {
  const what = `bundle ${kept.namespace}/${kept.name} revision ${kept.revision}`;
  const opened = openKept<BundleDocument>('bundle', kept, envelope =>
    roots.some(({ document }) => {
      const role = releaseRoleOf(document, kept);
      return role !== undefined && signedBy('bundle', envelope, document, role);
    }),
  );
  if (typeof opened === 'string') return [`${what}: ${opened}`];
  const { namespace, name, revision } = opened;
  const isNamed = namespace === kept.namespace && name === kept.name && revision === kept.revision;
  return isNamed ? [] : [`${what}: bears another name or number`];
}

/** Digest of what a row says was accepted. */
function acceptedIn(entry: string): string[] {
  try {
    const told = JSON.parse(entry) as Partial<HistoryEntry> | null;
    return told?.kind === 'root' || told?.kind === 'assignment' ? [String(told.digest)] : [];
  } catch {
    return [];
  }
}

/** What was accepted and has no row, as far as all rows are kept. */
function untold({ history, roots, assignments }: JournalProof): Finding[] {
  if (history[0]?.n !== 1) return [];
  const told = new Set(history.flatMap(({ entry }) => acceptedIn(entry)));
  const accepted = [
    ...roots.map(({ version, digest }) => ({ what: `root ${version}`, digest })),
    ...assignments.map(({ epoch, generation, digest }) => {
      return { what: `assignment ${epoch}/${generation}`, digest };
    }),
  ];
  return accepted
    .filter(({ digest }) => !told.has(digest))
    .map(({ what }) => `${what}: no row of the history tells of it`);
}
