/**
 * Refusals are values: a closed code and a sentence, never the refused text. The codes are the names of the
 * attacks and mistakes in TUF's and Uptane's words; `docs/errors.md` explains each.
 */

export const REFUSAL_CODES = [
  'Malformed',
  'TooLarge',
  'WrongType',
  'BadSignature',
  'BadRoot',
  'BadKey',
  'WrongFleet',
  'WrongNode',
  'WrongTopic',
  'RootRequired',
  'Rollback',
  'Equivocation',
  'NotFresh',
  'Expired',
  'MixMatch',
  'Denied',
  'Unsupported',
  'BadName',
  'Conflict',
  'Policy',
  'OutOfScope',
  'SecretNotSealed',
] as const;

export type RefusalCode = (typeof REFUSAL_CODES)[number];

export interface Refusal {
  readonly code: RefusalCode;
  /** One sentence for a person: what, where, what to do. Holds no content of the refused document. */
  readonly detail: string;
}

export type Result<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

export function refuse(code: RefusalCode, detail: string): { ok: false; refusal: Refusal } {
  return { ok: false, refusal: { code, detail } };
}

export function accept<T>(value: T): { ok: true; value: T } {
  return { ok: true, value };
}
