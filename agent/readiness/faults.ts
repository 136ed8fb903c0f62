/**
 * What a node is told to lack for a start without network, clock and hub, and for the way back: by node, by bundle, and as conditions of
 * the node. Pure.
 */
import type { Beginning } from '../journal/history.js';
import { counted } from '../../protocol/counted.js';
import type { BundleName, SourceCondition } from '../ports.js';

export const ALONE_READY = 'AloneReady';
export const UNDO_READY = 'UndoReady';
/** Reason of a bundle on trial whose rollout requires the first; of the other see `bundle-reasons`. */
export const NOT_ALONE_READY = 'NotAloneReady';

/** A reason in one word, and what it is about. Both are told to the hub: nothing secret. */
export interface Fault {
  readonly reason: string;
  readonly message: string;
}

/** Nobody knows yet, or the engine does not answer. */
export interface Unknown {
  readonly unknown: Fault;
}

export function isUnknown<T extends object>(value: T | Unknown): value is Unknown {
  return 'unknown' in value;
}

export interface AloneFindings {
  /** Of the node as a whole: identity, journal, room, directory. */
  readonly node: readonly Fault[];
  /** Of pods that no bundle brought. */
  readonly local: readonly Fault[];
  readonly bundles: readonly BundleFindings[];
  /** Pods of bundles that would be started. */
  readonly pods: number;
  /** The same of those that no bundle brought. */
  readonly localPods: number;
}

export interface BundleFindings {
  readonly bundle: BundleName;
  readonly faults: readonly Fault[];
}

/** Of one bundle: to which revision it could be taken back; null: nothing older was healthy here. */
export interface WayBack {
  readonly bundle: BundleName;
  readonly revision: number | null;
  readonly fault: Fault | null;
}

const MESSAGE_MAX = 1024;
/** In a message. */
const NAMED_MAX = 8;

function condition(
  type: string,
  status: SourceCondition['status'],
  { reason, message }: Fault,
): SourceCondition {
  return { type, status, reason, message: message.slice(0, MESSAGE_MAX).toWellFormed() };
}

function allOf(faults: readonly Fault[]): Fault {
  const named = faults.slice(0, NAMED_MAX).map(({ message }) => message);
  const more = faults.length - named.length;
  const text = more > 0 ? [...named, `and ${more} more`] : named;
  return { reason: faults[0]?.reason ?? '', message: text.join('; ') };
}

/** What is true of the node as a whole comes first. */
export function aloneCondition(found: AloneFindings | Unknown): SourceCondition {
  if (isUnknown(found)) return condition(ALONE_READY, 'Unknown', found.unknown);
  const { node, local, bundles, pods, localPods } = found;
  const faults = [...node, ...bundles.flatMap(one => one.faults), ...local];
  if (faults.length > 0) return condition(ALONE_READY, 'False', allOf(faults));
  const own = localPods > 0 ? ` and ${localPods} of this node's own` : '';
  const what = `${counted(pods, 'pod')} of ${counted(bundles.length, 'bundle')}${own}`;
  const message = `${what} would start without network, clock and hub`;
  return condition(ALONE_READY, 'True', { reason: 'Complete', message });
}

/** What nothing older was healthy of here is no fault: there is nothing to go back to. */
export function undoCondition(
  found: readonly WayBack[] | Unknown,
  begun: Beginning | null = null,
): SourceCondition {
  if (isUnknown(found)) return condition(UNDO_READY, 'Unknown', found.unknown);
  const faults = found.flatMap(({ fault }) => fault ?? []);
  if (faults.length > 0) return condition(UNDO_READY, 'False', allOf(faults));
  const ways = found.flatMap(({ bundle, revision }) =>
    revision === null ? [] : `bundle ${nameOf(bundle)} to revision ${revision}`,
  );
  if (ways.length === 0) {
    const message = `no bundle has an older healthy revision here${forgottenText(begun)}`;
    return condition(UNDO_READY, 'True', { reason: 'NothingToUndo', message });
  }
  const more = ways.length - NAMED_MAX;
  const named = [...ways.slice(0, NAMED_MAX), ...(more > 0 ? [`and ${more} more`] : [])];
  return condition(UNDO_READY, 'True', { reason: 'Complete', message: named.join('; ') });
}

/** Whoever saw one before asks where it is. */
function forgottenText(begun: Beginning | null): string {
  const what = begun === null ? undefined : BEGUN_ANEW[begun.why];
  if (begun === null || what === undefined) return '';
  const at = `${new Date(begun.at).toISOString().slice(0, 19)}Z`;
  return `: the journal ${what} at ${at}, and what was healthy before that is not known any more`;
}

const BEGUN_ANEW: Readonly<Partial<Record<Beginning['why'], string>>> = {
  Lost: 'was lost and began anew',
  PutBack: 'was put back to an older state and began anew',
  Damaged: 'was damaged and began anew',
};

export function nameOf({ namespace, name }: BundleName): string {
  return `${namespace}/${name}`;
}

/** A pod that ended for good, or that the node refused, is not started again. */
export function isOver(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}
