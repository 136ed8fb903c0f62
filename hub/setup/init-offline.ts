/**
 * `hub init` for a fleet whose root and release keys never come to the hub, in two calls: the first makes the hub's own keys and a
 * request to be named in a root; the second takes the signed root. Between them `hub.yaml.waiting` says so. Either may be
 * repeated after a crash.
 */
import { renameSync, rmSync } from 'node:fs';
import { keyId, signerOf } from '../../protocol/keys.js';
import type { Clock } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openPinnedRoot } from '../../protocol/verify-root.js';
import { envelopeText, readRootFile } from '../root/root-file.js';
import { formatHubConfig, hubPaths, parseHubConfig } from './config.js';
import { hostAddresses } from './host-addresses.js';
import { initPlan } from './init-plan.js';
import { installRoot, makeOwn, resultOf, type InitOptions, type InitResult } from './init.js';
import { readPrivateKey } from './keys.js';
import { pinOf } from './pki.js';
import { readFileIfAny, syncDirectory, writePrivateFile } from './private-files.js';
import { SetupError } from './setup-error.js';

/** Of a hub that makes its release role itself. */
const GRANT_FLAGS = {
  bundlePodSecurity: '--bundle-pod-security',
  bundleMinHostPort: '--bundle-min-host-port',
  bundleHostPaths: '--bundle-host-path',
  bundleNodeLabels: '--bundle-node-label',
  bundleMaxNodes: '--bundle-max-nodes',
} as const;

export interface WaitingHub {
  readonly fleet: string;
  /** Path of the request: public, but to be carried to the ceremony unaltered. */
  readonly request: string;
  /** Key id of the hub's key, and the pin of its authority: to be compared there. */
  readonly hubKey: string;
  readonly tlsPin: string;
}

/** Throws `SetupError` as `initHub` does. */
export async function initWaitingHub(options: InitOptions): Promise<WaitingHub> {
  for (const [name, flag] of Object.entries(GRANT_FLAGS)) {
    if (options[name as keyof typeof GRANT_FLAGS] === undefined) continue;
    const where = 'what bundles may ask of nodes stands in the plan of the root';
    throw new SetupError('BadSetting', `${flag} has no meaning with --offline-root: ${where}`);
  }
  const plan = initPlan(options, options.host ?? hostAddresses());
  const paths = hubPaths(options.dataDir);
  const { fleet, hub, tlsPin } = await makeOwn(options, plan);
  writePrivateFile(paths.request, requestText({ fleet, hubKey: hub.publicKey, tls: [tlsPin] }));
  writePrivateFile(paths.waiting, formatHubConfig(plan.config));
  rmSync(paths.initMark);
  syncDirectory(options.dataDir);
  return { fleet, request: paths.request, hubKey: keyId(hub.publicKey), tlsPin };
}

/** Named by a root as it stands; public. */
export function requestText(request: {
  readonly fleet: string;
  readonly hubKey: string;
  readonly tls: readonly string[];
}): string {
  return `${JSON.stringify(request, null, 2)}\n`;
}

/** Throws `SetupError`: NotInitialised, BadSetting for a root that is not for this hub. */
export async function completeHub(options: {
  readonly dataDir: string;
  readonly rootPath: string;
  readonly clock: Clock;
}): Promise<InitResult> {
  const { dataDir, rootPath } = options;
  const paths = hubPaths(dataDir);
  const settings = readFileIfAny(paths.waiting);
  if (settings === null) {
    const isHub = readFileIfAny(paths.config) !== null;
    const what = isHub
      ? `${dataDir} has its root already; give it the next one with \`flotilla root publish\``
      : `${dataDir} does not wait for a root; begin with \`flotilla hub init --data-dir ${dataDir} --offline-root\``;
    throw new SetupError(isHub ? 'AlreadyInitialised' : 'NotInitialised', what);
  }
  const config = parseHubConfig(settings, paths.waiting);
  const root = rootFor(dataDir, rootPath);
  const { fleet } = root.document;
  await installRoot(options, { fleet, digest: root.digest, envelope: root.envelope });
  renameSync(paths.waiting, paths.config);
  syncDirectory(dataDir);
  return { ...resultOf(dataDir, config), fleet, fingerprint: root.digest };
}

/** Throws `SetupError` with what does not fit, and where. */
function rootFor(dataDir: string, rootPath: string): TrustedRoot {
  const paths = hubPaths(dataDir);
  const bad = (what: string) => new SetupError('BadSetting', `${rootPath}: ${what}`);
  const text = readFileIfAny(rootPath);
  if (text === null) throw bad('there is no such file');
  const file = readRootFile(text);
  if (!file.ok) throw bad(`${file.refusal.code}: ${file.refusal.detail}`);
  const opened = openPinnedRoot(Buffer.from(envelopeText(file.value)), file.value.digest);
  if (!opened.ok) throw bad(`${opened.refusal.code}: ${opened.refusal.detail}`);
  const { document } = opened.value;
  if (document.version !== 1) throw bad(`version ${document.version}; a new hub begins with 1`);
  if (document.development)
    throw bad('says `development`, which is for a hub that holds every key');
  const key = readPrivateKey(paths.keys.hub, 'ed25519');
  const authority = readFileIfAny(paths.certificates.authority);
  if (key === null || authority === null)
    throw new SetupError('Missing', `${dataDir}: init it anew`);
  const hint = `make it from ${paths.request}`;
  if (!document.roles.hub.keys.includes(keyId(signerOf(key).publicKey))) {
    throw bad(`names another hub key than this hub's: ${hint}`);
  }
  if (!document.tls.includes(pinOf(authority))) {
    throw bad(`does not pin this hub's authority: ${hint}`);
  }
  const request = JSON.parse(readFileIfAny(paths.request) ?? '{}') as { fleet?: string };
  if (request.fleet !== document.fleet) throw bad(`is of another fleet: ${hint}`);
  return opened.value;
}
