/**
 * `hub monitoring-certificate`: what Prometheus needs to read `/metrics` and may do nothing else with. The common name holds a colon, which
 * no node's name can: a broker that knows clients by that name alone lets it pass for none.
 */
import { join, resolve } from 'node:path';
import type { Clock } from '../../protocol/ports.js';
import { generatePrivateKey, privatePem } from './keys.js';
import { loadHub } from './load.js';
import { HUB_NAME, issueCertificate, ORGANISATION, spkiOf, type RandomBytes } from './pki.js';
import { makePrivateDirectory, writePrivateFile } from './private-files.js';
import { SetupError } from './setup-error.js';

const DAY_MS = 86_400_000;
const DAYS_MAX = 3650;

export const MONITORING_FILES = {
  authority: 'ca.crt',
  certificate: 'client.crt',
  key: 'client.key',
} as const;

export interface MonitoringOptions {
  readonly dataDir: string;
  readonly out: string;
  /** Whom the hub's log names. */
  readonly name: string;
  readonly days: number;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export interface MonitoringResult {
  readonly out: string;
  /** `host:port` of the hub. */
  readonly target: string;
  readonly serverName: string;
  readonly ends: Date;
}

/** Throws `SetupError`. Running it again makes another certificate; the former one is good until it ends. */
export async function writeMonitoringFiles(options: MonitoringOptions): Promise<MonitoringResult> {
  const { dataDir, name, days, clock, random } = options;
  if (!/^[a-z0-9][a-z0-9-]{0,50}$/.test(name)) {
    throw bad(`--name ${name}: use lower-case letters, digits and hyphens, at most 51`);
  }
  if (!Number.isInteger(days) || days < 1 || days > DAYS_MAX) {
    throw bad(`--days ${days}: use a number from 1 to ${DAYS_MAX}`);
  }
  const hub = loadHub(dataDir);
  const out = resolve(options.out);
  const key = generatePrivateKey('p256');
  const ends = new Date(clock.now() + days * DAY_MS);
  const certificate = await issueCertificate(
    hub.issuer,
    {
      commonName: `monitoring:${name}`,
      organisation: ORGANISATION.monitoring,
      publicKey: spkiOf(key),
      use: 'client',
      notAfter: ends,
    },
    random,
  );
  makePrivateDirectory(out);
  writePrivateFile(join(out, MONITORING_FILES.authority), hub.authorities);
  writePrivateFile(join(out, MONITORING_FILES.key), privatePem(key));
  writePrivateFile(join(out, MONITORING_FILES.certificate), certificate);
  return { out, target: new URL(hub.config.advertise.hub).host, serverName: HUB_NAME, ends };
}

function bad(message: string): SetupError {
  return new SetupError('BadSetting', message);
}
