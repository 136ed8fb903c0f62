/**
 * What this hub may release by itself: which of its keys the root makes responsible for a bundle, and what that key may let
 * pods ask of nodes. Nodes decide the same again; here it is said before anything is published. Pure.
 */
import type { ReleaseScope, RootDocument } from '../../protocol/documents/root.js';
import { keyId, type Signer } from '../../protocol/keys.js';
import type { ValidPod } from '../../protocol/pod.js';
import { outOfScope } from '../../protocol/release-scope.js';
import { releaseRoleOf } from '../../protocol/verify-bundle.js';
import { RequestError } from '../ports.js';

/** Named in the refusal of what has to be signed elsewhere. */
export const SIGNATURES_FIELD = 'signatures';

export interface ReleaseHere {
  readonly signer: Signer;
  /** Those that one signature by this key is enough for. */
  readonly scopes: readonly ReleaseScope[];
}

/** Whether one signature by the hub's own key is enough for the bundle. */
export function signsHere(
  root: RootDocument,
  bundle: { readonly namespace: string; readonly name: string },
  releaseSigner: Signer | null,
): boolean {
  const role = releaseRoleOf(root, bundle);
  return (
    releaseSigner !== null &&
    role?.threshold === 1 &&
    role.keys.includes(keyId(releaseSigner.publicKey))
  );
}

/** Throws `Forbidden`: nodes refuse what the role responsible for the bundle did not sign by its threshold. */
export function signerFor(
  root: RootDocument,
  bundle: { readonly namespace: string; readonly name: string },
  releaseSigner: Signer | null,
): ReleaseHere {
  const role = releaseRoleOf(root, bundle);
  const own = releaseSigner && keyId(releaseSigner.publicKey);
  const isHeld = own !== null && role?.keys.includes(own) === true;
  if (releaseSigner && isHeld && role.threshold === 1) {
    const scopes = role.scopes.filter(
      ({ threshold, keys }) => threshold === 1 && keys.includes(own),
    );
    return { signer: releaseSigner, scopes };
  }
  const why = role
    ? `it needs ${role.threshold} signatures by release keys, and this hub holds ${isHeld ? 1 : 0}`
    : 'the root names no release role for it';
  throw new RequestError(
    'Forbidden',
    `bundle "${bundle.name}" cannot be signed here: ${why}; sign it where the release keys are`,
    [{ field: SIGNATURES_FIELD, message: why }],
  );
}

/** The pods that no node would run, whatever its owner allows. */
export function beyondScope(
  pods: readonly ValidPod[],
  scopes: readonly ReleaseScope[],
): { readonly field: string; readonly message: string }[] {
  return pods.flatMap(pod => {
    const beyond = outOfScope(pod, scopes);
    if (beyond === null) return [];
    return [{ field: 'spec.manifests', message: `pod "${pod.metadata.name}" is ${beyond}` }];
  });
}
