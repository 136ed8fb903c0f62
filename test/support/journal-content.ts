/**
 * What the hub of the fixed fleet sends, put into a journal as the intake puts it there: opened under a root, and an error where
 * a node would refuse it.
 */
import type { Journal } from '../../agent/journal/journal.js';
import { canonicalJson } from '../../protocol/canonical.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { seal } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openAssignment } from '../../protocol/verify-assignment.js';
import { openBundle } from '../../protocol/verify-bundle.js';
import {
  assigned,
  assignmentDocument,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  RELEASE,
  trustedRoot,
} from './fleet.js';

/** The envelope, and the manifests in the order in which the document lists them. */
export function storeBundle(
  journal: Journal,
  bundle: { readonly document: BundleDocument; readonly pods: readonly Record<string, unknown>[] },
  by: { readonly root?: TrustedRoot; readonly signers?: readonly Signer[] } = {},
): void {
  const { document, pods } = bundle;
  const opened = openBundle(seal('bundle', document, by.signers ?? [RELEASE]), {
    ...{ root: by.root ?? trustedRoot(), assigned: assigned(document) },
    ...{ arch: 'amd64', agentVersion: '0.1.0' },
  });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  journal.content.storeBundle(opened.value);
  document.manifests.forEach((entry, i) =>
    journal.content.storeBlob(entry.digest, Buffer.from(canonicalJson(pods[i]))),
  );
}

/** An assignment to this journal's node, fresh where the journal asks for that. */
export function acceptAssignment(
  journal: Journal,
  change: Omit<Partial<AssignmentDocument>, 'nonce'>,
): void {
  const nonce = journal.freshNonce();
  const document = assignmentDocument({ ...change, nonce });
  const opened = openAssignment(seal('assignment', document, [HUB]), {
    ...{ root: trustedRoot(), node: NODE_NAME, nodeKey: idOf(NODE), now: NOW },
    ...{ accepted: journal.accepted(), nonce, freshOnly: nonce !== null },
  });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  journal.acceptAssignment(opened.value);
}
