/**
 * How the agent speaks TLS with its hub: TLS 1.3, only authorities whose keys the root pins, and
 * the name of the role instead of the address, so that a hub may move. Nothing here trusts a public
 * authority (S70). Certificates of hub and broker are dated 1970 to 9999: a wrong clock breaks
 * nothing.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  checkServerIdentity,
  connect,
  type ConnectionOptions,
  type PeerCertificate,
  type TLSSocket,
} from 'node:tls';
import { sha256Hex } from '../../protocol/canonical.js';

export const HUB_NAME = 'flotilla-hub';
const BROKER_NAME = 'flotilla-broker';

const BEGIN = '-----BEGIN CERTIFICATE-----';

/**
 * The certificates of a PEM text whose keys are pinned; empty if there is none. Everything else is
 * left out.
 */
export function pinnedAuthorities(pem: string, pins: readonly string[]): string[] {
  return blocksOf(pem).filter(block => pins.includes(pinOf(block) ?? ''));
}

/** Those that no certificate of the PEM text is of. */
export function lackedPins(pem: string, pins: readonly string[]): string[] {
  const known = blocksOf(pem).map(pinOf);
  return pins.filter(pin => !known.includes(pin));
}

function blocksOf(pem: string): string[] {
  return pem.split(/(?=-----BEGIN CERTIFICATE-----)/).filter(block => block.startsWith(BEGIN));
}

/** Null for what is no certificate. */
function pinOf(block: string): string | null {
  try {
    const { publicKey } = new X509Certificate(block);
    return sha256Hex(publicKey.export({ type: 'spki', format: 'der' }));
  } catch {
    return null;
  }
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

export interface BrokerTls {
  /** PEM: the node's key and client certificate, and the pinned authorities. */
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** For MQTT over TLS, in a WebSocket or not, to a broker of the hub; MQTT.js hands them to `tls.connect`. */
export function brokerTlsOptions({ key, cert, ca }: BrokerTls, broker: URL) {
  const host = hostOf(broker);
  return {
    key,
    cert,
    ca,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: anyOf([HUB_NAME, BROKER_NAME, host]),
  } as const satisfies ConnectionOptions;
}

/**
 * The connection to a broker: nothing is sent before its certificate is checked, and it is destroyed
 * with an error if that is not the hub's.
 */
export function openBrokerSocket(tls: BrokerTls): (broker: URL) => TLSSocket {
  return broker =>
    connect({
      host: hostOf(broker),
      port: Number(broker.port || (broker.protocol === 'wss:' ? 443 : 8883)),
      ...brokerTlsOptions(tls, broker),
    });
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}
