/** The audit log, append-only: types and the names of the mutations. */
import type { Actor, Mutation, ObjectKind } from './store.js';

/** What a user did with an object that changes nothing of it. */
export type UseVerb = 'logs' | 'exec' | 'attach' | 'portforward';

/**
 * One line: every change of an object by an actor of kind `user`, every root that one publishes, every assignment that one changes by a
 * wish about some nodes, every use of a running pod; and what the hub decides about a rollout by itself. A put that changes nothing leaves
 * none; one that replaces an object (another uid) leaves a delete and a create.
 */
export interface AuditRecord {
  readonly number: number;
  readonly at: string;
  readonly actor: Actor;
  readonly verb: 'create' | 'update' | 'delete' | 'decide' | UseVerb;
  /** A Root is named by its version, an Assignment by its node. */
  readonly kind: ObjectKind | 'Root' | 'Assignment';
  readonly namespace: string;
  readonly name: string;
  /** SHA-256 of the object's spec before and after, or of the signed document; null where there was or is none. */
  readonly before: string | null;
  readonly after: string | null;
  /** Of a use: what was used of the object, never an argument, never what went through. Of a decision: which, in words. Of a change: what was said with it. */
  readonly detail?: string;
}

/** Each is a line of the audit log alone. */
export type AuditMutation =
  | {
      readonly type: 'use';
      readonly verb: UseVerb;
      readonly kind: ObjectKind;
      readonly namespace: string;
      readonly name: string;
      readonly detail: string;
    }
  | {
      readonly type: 'decision';
      readonly kind: ObjectKind;
      readonly namespace: string;
      readonly name: string;
      readonly detail: string;
    };

export function isAuditMutation(mutation: Mutation): mutation is AuditMutation {
  return mutation.type === 'use' || mutation.type === 'decision';
}
