/**
 * The hub's certificate authority: P-256 throughout, every certificate from our own template (RFC
 * 5280), nothing taken from a request but the public key. Authority and servers are dated 1970 to
 * 9999, so that no device's clock can break TLS; what replaces them is the pin in the root. Serial
 * numbers have 16 bytes with the top bit clear.
 */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createPublicKey, webcrypto, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { sha256Hex } from '../../protocol/canonical.js';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const FIRST_DAY = new Date(0);
/** RFC 5280 4.1.2.5: "no well-defined expiration date". */
export const NO_EXPIRY = new Date('9999-12-31T23:59:59Z');

/** Organisations in the subject: what a client certificate is for. */
export const ORGANISATION = {
  admins: 'flotilla:admins',
  nodes: 'flotilla:nodes',
  hub: 'flotilla:hub',
  monitoring: 'flotilla:monitoring',
} as const;
export type Organisation = (typeof ORGANISATION)[keyof typeof ORGANISATION];

/**
 * Names that stand in every server certificate: what agents and the kubeconfig check, whatever the
 * address.
 */
export const HUB_NAME = 'flotilla-hub';
export const BROKER_NAME = 'flotilla-broker';

export type RandomBytes = (bytes: number) => Uint8Array;

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: KeyObject;
}

/** The SubjectPublicKeyInfo of a key or of a certificate (PEM), DER. */
export function spkiOf(source: KeyObject | string): Buffer {
  const key = typeof source === 'string' ? new X509Certificate(source).publicKey : source;
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** What the root's `tls` lists. */
export function pinOf(certificate: string): string {
  return sha256Hex(spkiOf(certificate));
}

/** 16 bytes, the top bit clear, so that no reader takes it for negative (S85). */
export function newSerialNumber(random: RandomBytes): string {
  const bytes = Buffer.from(random(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return bytes.toString('hex');
}

function importPrivate(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign']);
}

function importPublic(spki: Buffer): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']);
}

/** A self-signed authority that may sign leaves only. */
export async function createAuthority(
  privateKey: KeyObject,
  options: { readonly fleet: string; readonly random: RandomBytes },
): Promise<Authority> {
  const publicKey = await importPublic(spkiOf(privateKey));
  const name: x509.JsonName = [{ CN: [`Flotilla CA ${options.fleet.slice(0, 8)}`] }];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(options.random),
    subject: name,
    issuer: name,
    notBefore: FIRST_DAY,
    notAfter: NO_EXPIRY,
    signingKey: await importPrivate(privateKey),
    publicKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, privateKey };
}

export interface LeafTemplate {
  readonly commonName: string;
  readonly organisation: Organisation;
  /** P-256, SubjectPublicKeyInfo in DER. */
  readonly publicKey: Buffer;
  /** Host names and addresses of a server; a client has none. */
  readonly use: 'client' | { readonly serverNames: readonly string[] };
  readonly notAfter: Date;
}

/** PEM of a leaf that is good for one use: never a CA, never both client and server. */
export async function issueCertificate(
  authority: Authority,
  template: LeafTemplate,
  random: RandomBytes,
): Promise<string> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const publicKey = await importPublic(template.publicKey);
  const { use } = template;
  const purpose =
    use === 'client' ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([purpose], true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
  if (use !== 'client') {
    const names = use.serverNames.map(value => ({
      type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
      value,
    }));
    extensions.push(new x509.SubjectAlternativeNameExtension(names));
  }
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(random),
    subject: [{ O: [template.organisation] }, { CN: [template.commonName] }],
    issuer: issuer.subject,
    notBefore: FIRST_DAY,
    notAfter: template.notAfter,
    signingKey: await importPrivate(authority.privateKey),
    publicKey,
    signingAlgorithm: ALGORITHM,
    extensions,
  });
  return `${certificate.toString('pem')}\n`;
}

/** Who a client certificate speaks for. */
export interface Peer {
  readonly commonName: string;
  readonly organisation: string;
  /** SubjectPublicKeyInfo, base64. */
  readonly tlsKey: string;
}

/**
 * Null for a subject that our template did not make: exactly one organisation and one common name.
 */
export function peerOf(certificate: X509Certificate): Peer | null {
  const parts = /^O=([^\n]+)\nCN=([^\n]+)$/.exec(certificate.subject);
  const [, organisation, commonName] = parts ?? [];
  if (organisation === undefined || commonName === undefined) return null;
  return { commonName, organisation, tlsKey: spkiOf(certificate.publicKey).toString('base64') };
}

/** By the names and key identifiers in it; no signature is checked. `authorities`: PEM. */
export function issuedByAny(certificate: X509Certificate, authorities: string): boolean {
  return authorities
    .split(/(?=-----BEGIN CERTIFICATE-----)/)
    .some(pem => certificate.checkIssued(new X509Certificate(pem)));
}
