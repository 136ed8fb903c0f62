/** What staging lacks, and what is known about it. Pure. */
import type { AssignedBundle, AssignedSecret } from '../../protocol/documents/assignment.js';
import type { Refusal } from '../../protocol/refusal.js';

/** As an assignment names it; null: of what ran here before, where the digest alone is known. */
export interface NamedBundle extends Omit<AssignedBundle, 'size'> {
  readonly size: number | null;
}

/** What a bundle lacks. */
export interface Lacking {
  readonly digest: string;
  readonly size: number;
  /** Set when it is the bundle's own envelope. */
  readonly envelopeOf: NamedBundle | null;
  /** Set when it is a sealed Secret; its size is not known. */
  readonly secret?: AssignedSecret;
}

/**
 * Of a bundle whose keys do not reach this node or what it asks for: the same document may be there with more signatures
 * (`bundle sign` by a second person). Nothing else that was refused can be mended under its digest.
 */
export function signedAnew(bundle: AssignedBundle, { code }: Pick<Refusal, 'code'>): Lacking[] {
  const { digest, size } = bundle;
  return code === 'OutOfScope' ? [{ digest, size, envelopeOf: bundle }] : [];
}

/** What is known about something that is not here. */
export type Whereabouts =
  | { readonly is: 'coming' | 'missing' | 'slow' | 'absent' }
  /** Bytes came and were refused; `final`: no other bytes could do better. */
  | { readonly is: 'refused'; readonly refusal: Refusal; readonly final: boolean };

/** Asking on would not bring it: the hub has it no more, or what came is refused for what it is. */
export function isInVain(where: Whereabouts): boolean {
  return where.is === 'absent' || (where.is === 'refused' && where.final);
}
