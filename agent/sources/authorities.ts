/**
 * The certificate authorities of this machine, beside those that come with Node: where Go looks for them on Linux
 * (crypto/x509, root_linux.go), and a file of the operator's. Reads files only.
 */
import { readFile } from 'node:fs/promises';
import type { Log } from '../../protocol/ports.js';

const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

async function firstOf(files: readonly string[]): Promise<string | null> {
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return text;
  }
  return null;
}

/**
 * PEM texts: the machine's list, the one that comes with Node where there is none, and `extraFile`
 * (NODE_EXTRA_CA_CERTS), which is warned about when it cannot be read.
 */
export async function readAuthorities(extraFile: string | null, log: Log): Promise<string[]> {
  const system = await firstOf(SYSTEM_FILES);
  const common = system === null ? (await import('node:tls')).rootCertificates : [system];
  if (extraFile === null) return [...common];
  try {
    return [...common, await readFile(extraFile, 'utf8')];
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    log.warn('the extra certificate authorities cannot be read', { detail });
    return [...common];
  }
}
