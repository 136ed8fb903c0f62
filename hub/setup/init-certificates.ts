/** The certificates of a new hub and the kubeconfig that holds the operator's. */
import type { KeyObject } from 'node:crypto';
import { hubPaths } from './config.js';
import type { InitPlan } from './init-plan.js';
import { generatePrivateKey, privatePem } from './keys.js';
import { adminKubeconfig } from './kubeconfig.js';
import {
  BROKER_NAME,
  HUB_NAME,
  issueCertificate,
  NO_EXPIRY,
  ORGANISATION,
  spkiOf,
  type Authority,
  type LeafTemplate,
  type RandomBytes,
} from './pki.js';
import { writePrivateFile } from './private-files.js';

/** Writes all but the authority's own key and the keys that `made` brings. */
export async function writeCertificates(
  dataDir: string,
  made: {
    readonly authority: Authority;
    readonly plan: InitPlan;
    readonly server: KeyObject;
    readonly mqtt: KeyObject;
    readonly random: RandomBytes;
  },
): Promise<void> {
  const paths = hubPaths(dataDir);
  const { authority, plan, random } = made;
  const issue = (key: KeyObject, template: Omit<LeafTemplate, 'publicKey' | 'notAfter'>) =>
    issueCertificate(
      authority,
      { ...template, publicKey: spkiOf(key), notAfter: NO_EXPIRY },
      random,
    );
  const hub = { commonName: HUB_NAME, organisation: ORGANISATION.hub } as const;
  const admin = generatePrivateKey('p256');
  const adminCertificate = await issue(admin, {
    commonName: 'admin',
    organisation: ORGANISATION.admins,
    use: 'client',
  });
  const server = await issue(made.server, { ...hub, use: { serverNames: plan.serverNames } });
  writePrivateFile(paths.certificates.authority, authority.certificate);
  writePrivateFile(paths.certificates.server, server);
  writePrivateFile(paths.certificates.mqtt, await issue(made.mqtt, { ...hub, use: 'client' }));
  writePrivateFile(paths.certificates.admin, adminCertificate);
  writePrivateFile(
    paths.kubeconfig,
    adminKubeconfig({
      server: plan.config.advertise.hub,
      authority: authority.certificate,
      certificate: adminCertificate,
      privateKey: privatePem(admin),
    }),
  );
  if (plan.config.broker === 'embedded') return;
  const host = new URL(plan.config.broker).hostname.replace(/^\[|\]$/g, '');
  const broker = generatePrivateKey('p256');
  const certificate = await issue(broker, {
    commonName: BROKER_NAME,
    organisation: ORGANISATION.hub,
    use: { serverNames: [...new Set([BROKER_NAME, host])] },
  });
  writePrivateFile(paths.broker.key, privatePem(broker));
  writePrivateFile(paths.broker.certificate, certificate);
  writePrivateFile(paths.broker.authority, authority.certificate);
}
