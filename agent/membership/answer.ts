/**
 * The hub's signed answer to a join, a renewal or a rotation: believed only if it is about this
 * node, its key and this very request, and if what it certifies is the key that was asked for.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';
import type { JoinedDocument } from '../../protocol/documents/enrolment.js';
import type { Result } from '../../protocol/refusal.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { JoinError } from './join-http.js';
import { isCertificateOf } from './next-keys.js';

export interface Expected {
  readonly hubUrl: string;
  readonly root: TrustedRoot;
  readonly node: string;
  /** Key id of the identity key. */
  readonly nodeKey: string;
  /** This node's own. */
  readonly nonce: string;
}

/** Throws `JoinError` (BadAnswer). */
export function openAnswer(body: Buffer, expected: Expected): JoinedDocument {
  const { root, node, hubUrl } = expected;
  const { document } = believed(openHubDocument('joined', body, { root, node }), hubUrl);
  if (document.nodeKey !== expected.nodeKey) throw fault(hubUrl, 'names another identity key');
  if (document.nonce !== expected.nonce) throw fault(hubUrl, 'is not to this request');
  const isWhole = (document.certificate === null) === (document.state === 'pending');
  if (!isWhole || (document.renewAfter === null) !== (document.certificate === null)) {
    throw fault(hubUrl, 'contradicts itself');
  }
  return document;
}

/** Null while a person has yet to approve the node. Throws `JoinError` (BadAnswer). */
export function certificateIn(
  { certificate, node }: JoinedDocument,
  key: KeyObject,
  hubUrl: string,
): string | null {
  if (certificate === null) return null;
  if (!isCertificateOf(certificate, key)) {
    throw fault(hubUrl, 'holds a certificate of another key');
  }
  const { subject } = new X509Certificate(certificate);
  if (subject.split('\n').includes(`CN=${node}`)) return certificate;
  throw fault(hubUrl, 'certifies another name');
}

export function believed<T>(result: Result<T>, hubUrl: string): T {
  if (result.ok) return result.value;
  throw new JoinError(
    'BadAnswer',
    `${hubUrl}: the hub's answer is not valid: ${result.refusal.detail}`,
  );
}

function fault(hubUrl: string, what: string): JoinError {
  return new JoinError('BadAnswer', `${hubUrl}: the hub's answer ${what}; try again`);
}

/** Brokers at the host that was just reached come first, in their order. */
export function nearestFirst(brokers: readonly string[], hubUrl: string): string[] {
  const { hostname } = new URL(hubUrl);
  const isNear = (broker: string) => new URL(broker).hostname === hostname;
  return [...brokers.filter(isNear), ...brokers.filter(broker => !isNear(broker))];
}
