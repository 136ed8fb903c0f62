/**
 * The kubeconfig that `hub init` writes for the operator: everything inside, no paths, so that it
 * can be carried to another machine. `tls-server-name` makes the check independent of the address
 * that leads to the hub. Pure.
 */
import { parse, stringify } from 'yaml';
import { HUB_NAME } from './pki.js';

export interface KubeconfigParts {
  /** `https://host:port`. */
  readonly server: string;
  /** PEM. */
  readonly authority: string;
  readonly certificate: string;
  readonly privateKey: string;
}

export function adminKubeconfig(parts: KubeconfigParts): string {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'flotilla',
          cluster: {
            server: parts.server,
            'tls-server-name': HUB_NAME,
            'certificate-authority-data': base64(parts.authority),
          },
        },
      ],
      users: [
        {
          name: 'admin',
          user: {
            'client-certificate-data': base64(parts.certificate),
            'client-key-data': base64(parts.privateKey),
          },
        },
      ],
      contexts: [
        {
          name: 'flotilla',
          context: { cluster: 'flotilla', user: 'admin', namespace: 'default' },
        },
      ],
      'current-context': 'flotilla',
    },
    { lineWidth: 0 },
  );
}

/** The same, trusting those authorities (PEM) instead. */
export function withAuthorities(kubeconfig: string, authorities: string): string {
  const config = parse(kubeconfig) as { clusters: { cluster: Record<string, string> }[] };
  for (const { cluster } of config.clusters) {
    cluster['certificate-authority-data'] = Buffer.from(authorities).toString('base64');
  }
  return stringify(config, { lineWidth: 0 });
}
