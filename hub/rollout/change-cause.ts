/**
 * Why a revision was made, in the words of who made it: kubectl's annotation of a Bundle, kept with the revision. Pure.
 */
export const CHANGE_CAUSE = 'kubernetes.io/change-cause';

export const CHANGE_CAUSE_MAX = 256;

export type Annotations = Readonly<Record<string, string>>;

/** Empty: none was given. */
export function changeCauseOf(annotations: Annotations): string {
  return annotations[CHANGE_CAUSE] ?? '';
}

/** An empty one takes it away. */
export function withChangeCause(annotations: Annotations, cause: string): Annotations {
  const { [CHANGE_CAUSE]: _former, ...others } = annotations;
  return cause === '' ? others : { ...others, [CHANGE_CAUSE]: cause };
}

/** What is wrong with a cause that is to be printed in a line; null: nothing. */
export function changeCauseFault(cause: string): string | null {
  const isFine = cause.length <= CHANGE_CAUSE_MAX && !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(cause);
  return isFine ? null : `must be a line of at most ${CHANGE_CAUSE_MAX} characters`;
}

/**
 * What an apply makes of a Bundle's annotations. A cause belongs to one revision: where none is made, `newest` (what that one has) stays
 * unless another is given; null: a revision is made.
 */
export function annotationsAfter(asked: Annotations, newest: Annotations | null): Annotations {
  if (newest === null || changeCauseOf(asked) !== '') return asked;
  return withChangeCause(asked, changeCauseOf(newest));
}

/** For the audit log: `revision 3: a new logo`. */
export function revisionText(revision: number, annotations: Annotations): string {
  const cause = changeCauseOf(annotations);
  return cause === '' ? `revision ${revision}` : `revision ${revision}: ${cause}`;
}
