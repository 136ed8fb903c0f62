/**
 * How the hub and a broker know each other: the hub's own certificate, the authorities that the root pins. Before an authority is
 * replaced the hub tries whether a broker of one's own is ready for it: it connects once, as itself, and says nothing.
 */
import type { Clock } from '../../protocol/ports.js';
import type { LoadedHub } from '../setup/load.js';
import { BROKER_NAME, HUB_NAME } from '../setup/pki.js';
import { BrokerConnection, type BrokerTls } from './broker-connection.js';

const CLIENT_ID = `${HUB_NAME}:trial`;

export function linkTls(hub: LoadedHub): BrokerTls {
  const { key, certificate } = hub.mqtt;
  return { key, cert: certificate, ca: hub.authorities, names: brokerNames(hub) };
}

/** An external broker shows the certificate that `hub init` made for it, or one of the same authority with its name. */
function brokerNames({ config }: LoadedHub): string[] {
  return config.broker === 'embedded' ? [HUB_NAME] : [BROKER_NAME, new URL(config.broker).hostname];
}

/**
 * `next`: whether the broker takes certificates of the next authority; `current`: whether it shows one of the authority in force, and
 * takes those. Null: it does, or is the embedded one; else its words.
 */
export async function brokerFault(
  hub: LoadedHub,
  which: 'next' | 'current',
  clock: Clock,
): Promise<string | null> {
  const { config, nextTls, authority, authorities } = hub;
  if (config.broker === 'embedded') return null;
  const pair = which === 'next' ? nextTls?.mqtt : hub.mqtt;
  if (!pair) return null;
  const connection = new BrokerConnection({
    url: config.broker,
    tls: {
      key: pair.key,
      cert: pair.certificate,
      ca:
        which === 'next'
          ? authorities + (nextTls?.authority.certificate ?? '')
          : authority.certificate,
      names: brokerNames(hub),
    },
    clientId: CLIENT_ID,
    will: null,
    clock,
    onMessage: () => undefined,
    onOversized: () => undefined,
  });
  if (await connection.accepted) {
    connection.disconnect();
    return null;
  }
  return withoutCodes(await connection.over);
}

/** OpenSSL puts its own files and numbers around a few words. */
function withoutCodes(reason: string): string {
  return /SSL routines:[^:]*:([^:]+)/.exec(reason)?.[1] ?? reason;
}
