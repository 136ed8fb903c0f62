/** The kubectls of this machine, and a kubeconfig that lets them into a fixture's API. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { at, type Fixture } from './api-server.js';

const FOLDERS = [
  process.env['KUBECTL_DIR'] ?? '',
  '/usr/bin',
  '/usr/local/bin',
  '/usr/lib/google-cloud-sdk/bin',
  '/snap/bin',
];

function candidates(): readonly string[] {
  return FOLDERS.filter(folder => folder !== '' && existsSync(folder)).flatMap(folder =>
    readdirSync(folder)
      .filter(name => /^kubectl(\.\d+\.\d+)?$/.test(name))
      .map(name => join(folder, name)),
  );
}

/** Minor version; null for what does not run here. */
function minorOf(kubectl: string): number | null {
  try {
    const text = execFileSync(kubectl, ['version', '--client', '-o', 'json'], { stdio: 'pipe' });
    const minor = at(JSON.parse(text.toString()), 'clientVersion.minor');
    return Number.parseInt(String(minor), 10);
  } catch {
    return null;
  }
}

/** One of each version; the oldest and the newest are enough unless all are asked for. */
function findKubectls(): readonly (readonly [number, string])[] {
  const versions = new Map<number, string>();
  for (const kubectl of candidates()) {
    const minor = minorOf(kubectl);
    if (minor !== null && !versions.has(minor)) versions.set(minor, kubectl);
  }
  const found = [...versions].sort(([a], [b]) => a - b);
  const all = process.env['ALL_KUBECTLS'] === '1';
  return found.filter((_, index) => all || index === 0 || index === found.length - 1);
}

/** By minor version, ascending. */
export const KUBECTLS = findKubectls();

export interface KubectlResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** One kubectl with its own cache, as the fixture's administrator: `config` is the path of the kubeconfig. */
export function kubectlOf(
  kubectl: string,
  of: { readonly config: string; readonly cache: string },
): (...args: string[]) => Promise<KubectlResult> {
  const flags = [`--kubeconfig=${of.config}`, `--cache-dir=${of.cache}`];
  return (...args) =>
    new Promise(resolve => {
      execFile(kubectl, [...flags, ...args], { timeout: 60_000 }, (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, out, err });
      });
    });
}

export function kubeconfig(fixture: Fixture): object {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const cluster = {
    server: `https://127.0.0.1:${fixture.api.port}`,
    'certificate-authority-data': base64(fixture.authority.cert),
  };
  const user = {
    'client-certificate-data': base64(fixture.admin.cert),
    'client-key-data': base64(fixture.admin.key),
  };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'hub', cluster }],
    users: [{ name: 'ada', user }],
    contexts: [{ name: 'hub', context: { cluster: 'hub', user: 'ada' } }],
    'current-context': 'hub',
  };
}
