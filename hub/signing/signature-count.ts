/**
 * Who signed a bundle, seen from a root: the role responsible for it, how many of its keys signed, and which of its scopes
 * that reaches. For people to read; what is accepted is decided by `openBundle`. Pure.
 */
import type { EnvelopeSignature } from '../../protocol/documents/envelope.js';
import type { ReleaseRole, ReleaseScope, RootDocument } from '../../protocol/documents/root.js';
import { payloadType, preAuthEncoding } from '../../protocol/envelope.js';
import { verifySignature } from '../../protocol/keys.js';
import { releaseRoleOf } from '../../protocol/verify-bundle.js';

export interface SignatureVerdict {
  readonly keyid: string;
  /** `foreign`: by a key that the role does not name; it does no harm and counts for nothing. */
  readonly verdict: 'good' | 'bad' | 'foreign';
}

export interface SignatureCount {
  /** Null: the root names none for this bundle. */
  readonly role: ReleaseRole | null;
  readonly verdicts: readonly SignatureVerdict[];
  /** Different keys of the role that signed. */
  readonly have: number;
  readonly need: number;
  readonly reached: readonly ReleaseScope[];
}

export function countBundleSignatures(
  root: RootDocument,
  bundle: {
    readonly namespace: string;
    readonly name: string;
    readonly payload: Uint8Array;
    readonly signatures: readonly EnvelopeSignature[];
  },
): SignatureCount {
  const role = releaseRoleOf(root, bundle) ?? null;
  const message = preAuthEncoding(payloadType('bundle'), bundle.payload);
  const verdicts = bundle.signatures.map(({ keyid, sig }): SignatureVerdict => {
    const key = role?.keys.includes(keyid) ? root.keys[keyid] : undefined;
    if (key === undefined) return { keyid, verdict: 'foreign' };
    const isGood = verifySignature(key, message, Buffer.from(sig, 'base64'));
    return { keyid, verdict: isGood ? 'good' : 'bad' };
  });
  const good = new Set(verdicts.filter(v => v.verdict === 'good').map(v => v.keyid));
  const reaches = ({ keys, threshold }: { keys: readonly string[]; threshold: number }) =>
    keys.filter(id => good.has(id)).length >= threshold;
  const isEnough = role !== null && reaches(role);
  return {
    role,
    verdicts,
    have: good.size,
    need: role?.threshold ?? 0,
    reached: isEnough ? role.scopes.filter(reaches) : [],
  };
}
