/** Real certificates for the API's tests: an authority, a server, clients of any name and organisation. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { KeyObject, webcrypto } from 'node:crypto';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;

export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

export interface TestAuthority {
  readonly cert: string;
  server(): Promise<KeyAndCertificate>;
  client(
    subject: x509.JsonName,
    options?: { readonly expired: boolean },
  ): Promise<KeyAndCertificate>;
}

async function newKeys(): Promise<{ pair: webcrypto.CryptoKeyPair; pem: string }> {
  const pair = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const pem = KeyObject.from(pair.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return { pair, pem: pem.toString() };
}

export async function newAuthority(): Promise<TestAuthority> {
  const { pair } = await newKeys();
  const now = Date.now();
  const issuer: x509.JsonName = [{ CN: ['test authority'] }];
  const days = { notBefore: new Date(now - HOUR_MS), notAfter: new Date(now + 24 * HOUR_MS) };
  const authority = await x509.X509CertificateGenerator.create({
    ...days,
    subject: issuer,
    issuer,
    publicKey: pair.publicKey,
    signingKey: pair.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  const issue = async (
    subject: x509.JsonName,
    extensions: x509.Extension[],
    validity = days,
  ): Promise<KeyAndCertificate> => {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...validity,
      subject,
      issuer,
      publicKey: keys.pair.publicKey,
      signingKey: pair.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions,
    });
    return { key: keys.pem, cert: certificate.toString('pem') };
  };
  return {
    cert: authority.toString('pem'),
    server: () =>
      issue(
        [{ CN: ['hub'] }],
        [
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], true),
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: 'localhost' },
            { type: 'ip', value: '127.0.0.1' },
          ]),
        ],
      ),
    client: (subject, options) =>
      issue(
        subject,
        [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth], true)],
        options?.expired
          ? { notBefore: new Date(now - 2 * HOUR_MS), notAfter: new Date(now - HOUR_MS) }
          : days,
      ),
  };
}
