/**
 * How far a change of the hub's TLS authority has come, and which nodes it waits for. Told from what the root pins, what lies at the
 * hub, and the certificates that nodes were given: nothing else is kept, so a crash loses nothing. Pure but for X.509.
 */
import { X509Certificate } from 'node:crypto';
import { issuedByAny, pinOf } from '../setup/pki.js';
import type { LoadedHub } from '../setup/load.js';
import type { IdentityRecord } from '../store/store.js';

/**
 * `prepared`: made, and pinned by no root; `announced`: pinned, and nodes get certificates of it, while the servers show the former;
 * `switched`: the servers show it, and the former is pinned still.
 */
export type TlsPhase = 'prepared' | 'announced' | 'switched';

export interface TlsChange {
  readonly phase: TlsPhase;
  /** SHA-256 of the SubjectPublicKeyInfo of the authorities, as the root pins them. */
  readonly formerPin: string;
  readonly nextPin: string;
  readonly nodes: {
    /** Members; those that wait for approval get a certificate with it. */
    readonly total: number;
    /** Have no certificate of the next authority yet. */
    readonly behind: readonly string[];
  };
}

type Hub = Pick<LoadedHub, 'authority' | 'issuer' | 'nextTls' | 'formerAuthority'>;

/** Null: none is under way. */
export function tlsChangeOf(hub: Hub, identities: readonly IdentityRecord[]): TlsChange | null {
  const sides = sidesOf(hub);
  if (!sides) return null;
  const { phase, former, next } = sides;
  const members = identities.filter(({ state }) => state === 'active');
  const behind = members.filter(({ certificate }) => !isOf(certificate, next));
  return {
    phase,
    formerPin: pinOf(former),
    nextPin: pinOf(next),
    nodes: { total: members.length, behind: behind.map(({ node }) => node) },
  };
}

function sidesOf({ authority, issuer, nextTls, formerAuthority }: Hub) {
  const current = authority.certificate;
  if (nextTls) {
    const phase: TlsPhase = issuer === nextTls.authority ? 'announced' : 'prepared';
    return { phase, former: current, next: nextTls.authority.certificate };
  }
  if (formerAuthority === null) return null;
  return { phase: 'switched' as TlsPhase, former: formerAuthority, next: current };
}

function isOf(certificate: string, authority: string): boolean {
  return certificate !== '' && issuedByAny(new X509Certificate(certificate), authority);
}
