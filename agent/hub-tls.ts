/**
 * How the agent speaks TLS with its hub: TLS 1.3, only authorities whose keys the root pins, and
 * the name of the role instead of the address, so that a hub may move. Nothing here trusts a public
 * authority (S70). Certificates of hub and broker are dated 1970 to 9999: a wrong clock breaks
 * nothing.
 */
import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, type ConnectionOptions, type PeerCertificate } from 'node:tls';
import { sha256Hex } from '../protocol/canonical.js';

export const HUB_NAME = 'flotilla-hub';
const BROKER_NAME = 'flotilla-broker';

const BEGIN = '-----BEGIN CERTIFICATE-----';

/**
 * The certificates of a PEM text whose keys are pinned; empty if there is none. Everything else is
 * left out.
 */
export function pinnedAuthorities(pem: string, pins: readonly string[]): string[] {
  return pem
    .split(/(?=-----BEGIN CERTIFICATE-----)/)
    .filter(block => block.startsWith(BEGIN))
    .filter(block => {
      try {
        const { publicKey } = new X509Certificate(block);
        return pins.includes(sha256Hex(publicKey.export({ type: 'spki', format: 'der' })));
      } catch {
        return false;
      }
    });
}

/** Accepts a certificate that bears one of the names as subject alternative name. */
function anyOf(names: readonly string[]) {
  return (_host: string, certificate: PeerCertificate): Error | undefined => {
    const faults = names.map(name => checkServerIdentity(name, certificate));
    return faults.some(fault => fault === undefined) ? undefined : faults[0];
  };
}

/** For HTTPS to the hub. `authorities`: PEM, pinned. */
export function hubTlsOptions(authorities: readonly string[]) {
  return {
    ca: [...authorities],
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    servername: HUB_NAME,
    checkServerIdentity: anyOf([HUB_NAME]),
  } as const satisfies ConnectionOptions;
}

/** For MQTT over TLS to a broker of the hub; MQTT.js hands them to `tls.connect`. */
export function brokerTlsOptions(
  tls: { readonly key: string; readonly cert: string; readonly ca: string },
  brokerUrl: string,
) {
  const host = new URL(brokerUrl).hostname.replace(/^\[|\]$/g, '');
  return {
    ...tls,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    checkServerIdentity: anyOf([HUB_NAME, BROKER_NAME, host]),
  } as const satisfies ConnectionOptions;
}
