/**
 * The agent's settings: flags over environment (`FLOTILLA_…`) over configuration file over defaults. Pure: `main`
 * reads the file and the environment and hands them in. Every mistake is an error that names the setting and its origin.
 */
import { resolve } from 'node:path';
import type { Budget } from '../protocol/budget.js';
import { excerpt } from '../protocol/excerpt.js';
import type { AdmissionPolicy } from './admission/policy.js';
import { checkNodeLabels, parseAdmissionPolicy } from './admission/policy-config.js';
import { ConfigError } from './config-error.js';
import { readConfigFile } from './config-file.js';
import { DEFAULT_RETENTION, type Retention } from './journal/retention.js';
import { DEFAULT_MOST_S } from './link/keep-alive.js';
import { nodeName } from './node-name.js';
import { Lookup, type ConfigInput, type Found } from './setting-lookup.js';
import type { MaintenanceWindow } from '../protocol/documents/bundle.js';
import { windowsFault } from '../protocol/maintenance-window.js';
import type { StreamKind } from './streams/access.js';
import { proxyVariables, type ProxyVariables } from './sources/proxy-choice.js';

/** One directory on the web that is polled, as the kubelet's `staticPodURL`. */
export interface UrlSourceConfig {
  readonly url: string;
  /** Never logged or shown: they may carry credentials. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly checkFrequencyMs: number;
  /** Those of the environment, as on the kubelet; may hold a password. */
  readonly proxies: ProxyVariables;
}

export interface ImagesConfig {
  readonly maxParallelPulls: number;
  /** Of one image, compressed; null = no maximum. */
  readonly pullMaxBytes: number | null;
  /** Docker's config.json form; null = none beside the engine's own. */
  readonly credentialsFile: string | null;
  /** Null = images are never removed. Percents are of the engine's disk; ages in milliseconds, 0 = no maximum. */
  readonly garbage: null | {
    readonly highPercent: number;
    readonly lowPercent: number;
    readonly minimumAgeMs: number;
    readonly maximumAgeMs: number;
  };
}

export interface AgentConfig {
  readonly dataDir: string;
  readonly nodeName: string;
  readonly nodeLabels: Readonly<Record<string, string>>;
  /** `none`: a kubelet runs what lies in the directory. */
  readonly runtime: 'engine' | 'none';
  /** Path of the Docker Engine API's socket. */
  readonly engineSocket: string;
  readonly kubeletPods: string | null;
  readonly socketPath: string;
  readonly apiListen: { readonly host: string; readonly port: number } | null;

  /** A directory or one file. */
  readonly staticPodPath: string;
  readonly fileCheckFrequencyMs: number;
  readonly url: UrlSourceConfig | null;
  /** NODE_EXTRA_CA_CERTS: authorities of `url`'s server beside the machine's own. */
  readonly extraAuthoritiesFile: string | null;

  readonly admission: AdmissionPolicy;
  readonly allowedUnsafeSysctls: readonly string[];
  /** Whether sealed Secrets may become environment variables. */
  readonly allowSecretEnv: boolean;
  readonly maxPods: number;
  /** -1 = no limit. */
  readonly podPidsLimit: number;
  /** Memory that is short kills a process and not its container (cgroup v2). */
  readonly singleProcessOOMKill: boolean;
  /** Pods whose bundle the root withdrew run on, or end. */
  readonly revokedBundles: 'keep' | 'stop';
  /** Files of bundles that a person changed are put back, or left so and told of. */
  readonly drift: 'restore' | 'report';
  /** Announced to a broker at most. */
  readonly keepAliveMaxMs: number;
  /** The node's own word; the hub may say a lower one. */
  readonly budget: Budget;
  /** Beside those of the bundles; empty: at any time. */
  readonly maintenanceWindows: readonly MaintenanceWindow[];
  /** What the hub may be given of the pods; null: as much as the root in force makes harmless. */
  readonly remoteAccess: readonly StreamKind[] | null;
  readonly retention: Retention;
  readonly dns: {
    readonly clusterDNS: readonly string[];
    readonly clusterDomain: string;
    /** Null: the node's own, as the system has it. */
    readonly resolvConf: string | null;
  };
  /** Links to the engine's log files are made below it, as the kubelet has them. */
  readonly podLogsDir: string;
  readonly restartBackOffMaxMs: number;
  readonly images: ImagesConfig;
  /** Null: pods run on when the machine goes down. */
  readonly shutdown: null | { readonly graceMs: number; readonly criticalMs: number };
}

export interface ResolvedConfig {
  readonly config: AgentConfig;
  readonly warnings: readonly string[];
}

/** Throws `ConfigError`. */
export function resolveConfig(input: ConfigInput): ResolvedConfig {
  const file = input.file === null ? null : readConfigFile(input.file.name, input.file.text);
  const settings = new Lookup(input, file);
  const warnings = [...(file?.warnings ?? [])];
  if (input.flags.podManifestPath !== undefined) {
    warnings.push('--pod-manifest-path is deprecated, as on the kubelet; use --static-pod-path');
  }
  const dataDir = settings.find('dataDir')?.value;
  if (dataDir === undefined) {
    throw new ConfigError('the data directory is not given; pass --data-dir DIR');
  }
  const resolvConf = settings.find('resolvConf')?.value ?? null;
  const config: AgentConfig = {
    dataDir: resolve(dataDir),
    nodeName: nodeName(settings.find('nodeName'), input),
    nodeLabels: nodeLabels(settings.find('nodeLabels')),
    runtime: settings.get('runtime', 'engine'),
    engineSocket: engineSocket(settings.find('engineSocket'), input.env['DOCKER_HOST']),
    kubeletPods: settings.find('kubeletPods')?.value ?? null,
    socketPath: resolve(dataDir, 'agent.sock'),
    apiListen: settings.find('apiListen')?.value ?? null,
    staticPodPath: resolve(settings.get('staticPodPath', `${dataDir}/manifests`)),
    fileCheckFrequencyMs: settings.get('fileCheckFrequency', 20_000),
    url: urlSource(settings, input.env),
    admission: admissionPolicy(settings.find('admission')),
    extraAuthoritiesFile: input.env['NODE_EXTRA_CA_CERTS'] || null,
    allowedUnsafeSysctls: settings.get('allowedUnsafeSysctls', []),
    allowSecretEnv: settings.get('allowSecretEnv', false),
    maxPods: settings.get('maxPods', 110),
    podPidsLimit: settings.get('podPidsLimit', -1),
    singleProcessOOMKill: settings.get('singleProcessOOMKill', false),
    revokedBundles: settings.get('revokedBundles', 'keep'),
    drift: settings.get('drift', 'restore'),
    keepAliveMaxMs: settings.get('keepAliveMax', DEFAULT_MOST_S * 1000),
    budget: {
      link: settings.find('linkBudget')?.value ?? null,
      writes: settings.find('writeBudget')?.value ?? null,
    },
    maintenanceWindows: ownWindows(settings.find('maintenanceWindows')),
    remoteAccess: settings.find('remoteAccess')?.value ?? null,
    retention: retention(settings),
    dns: {
      clusterDNS: settings.get('clusterDNS', []),
      clusterDomain: settings.get('clusterDomain', 'cluster.local'),
      resolvConf: resolvConf === null ? null : resolve(resolvConf),
    },
    podLogsDir: resolve(settings.get('podLogsDir', '/var/log/pods')),
    restartBackOffMaxMs: restartPeriod(settings),
    images: images(settings),
    shutdown: shutdown(settings),
  };
  if (config.kubeletPods !== null && config.runtime !== 'none') {
    throw new ConfigError(
      `${settings.find('kubeletPods')?.origin ?? ''}: only with runtime: none, where a kubelet runs the pods`,
    );
  }
  return { config, warnings };
}

function retention(settings: Lookup): Retention {
  const usual = DEFAULT_RETENTION;
  return {
    historyRows: settings.get('journalMaxRows', usual.historyRows),
    historyAgeMs: settings.get('journalMaxAge', usual.historyAgeMs),
    historyBytes: settings.get('journalMaxBytes', usual.historyBytes),
    outboxEvents: settings.get('outboxMaxEvents', usual.outboxEvents),
    outboxBytes: settings.get('outboxMaxBytes', usual.outboxBytes),
  };
}

function admissionPolicy(found: Found<unknown> | null): AdmissionPolicy {
  return parseAdmissionPolicy(found?.value, found?.origin ?? '');
}

function ownWindows(
  found: Found<readonly Readonly<Record<string, unknown>>[]> | null,
): readonly MaintenanceWindow[] {
  const windows = (found?.value ?? []) as unknown as MaintenanceWindow[];
  const fault = windowsFault(windows);
  if (!fault) return windows;
  throw new ConfigError(`${found?.origin ?? ''}${fault.at}: ${fault.message}`);
}

function nodeLabels(found: Found<AgentConfig['nodeLabels']> | null): AgentConfig['nodeLabels'] {
  return found === null ? {} : checkNodeLabels(found.value, found.origin);
}

function urlSource(settings: Lookup, env: ConfigInput['env']): UrlSourceConfig | null {
  const url = settings.find('staticPodURL');
  const headers = settings.find('staticPodURLHeader');
  if (url === null) {
    if (headers === null) return null;
    throw new ConfigError(`${headers.origin}: only with staticPodURL`);
  }
  const checkFrequencyMs = settings.get('httpCheckFrequency', 20_000);
  const proxies = proxyVariables(env);
  return { url: url.value, headers: headers?.value ?? {}, checkFrequencyMs, proxies };
}

/** Row 88: it can only be lowered. */
function restartPeriod(settings: Lookup): number {
  const found = settings.find('maxContainerRestartPeriod');
  if (found === null) return 300_000;
  if (found.value <= 300_000) return found.value;
  throw new ConfigError(`${found.origin}: at most 300s, as on the kubelet`);
}

function images(settings: Lookup): ImagesConfig {
  const credentials = settings.find('registryCredentials')?.value ?? null;
  const isSerial = settings.get('serializeImagePulls', false);
  const high = settings.find('imageGCHighThresholdPercent');
  const isWanted = settings.get('imageGarbageCollection', high !== null && high.value < 100);
  const highPercent = high?.value ?? 85;
  const low = settings.find('imageGCLowThresholdPercent');
  const lowPercent = low?.value ?? Math.min(80, highPercent - 1);
  if (lowPercent >= highPercent) {
    throw new ConfigError(
      `${(low ?? high)?.origin ?? ''}: imageGCLowThresholdPercent (${lowPercent}) must be below ` +
        `imageGCHighThresholdPercent (${highPercent})`,
    );
  }
  return {
    maxParallelPulls: isSerial ? 1 : settings.get('maxParallelImagePulls', 3),
    pullMaxBytes: settings.get('imagePullMaxBytes', 0) || null,
    credentialsFile: credentials === null ? null : resolve(credentials),
    garbage: isWanted
      ? {
          highPercent,
          lowPercent,
          minimumAgeMs: settings.get('imageMinimumGCAge', 120_000),
          maximumAgeMs: settings.get('imageMaximumGCAge', 0),
        }
      : null,
  };
}

function shutdown(settings: Lookup): AgentConfig['shutdown'] {
  const graceMs = settings.get('shutdownGracePeriod', 0);
  const critical = settings.find('shutdownGracePeriodCriticalPods');
  const criticalMs = critical?.value ?? 0;
  if (criticalMs > graceMs) {
    throw new ConfigError(`${critical?.origin ?? ''}: must not be longer than shutdownGracePeriod`);
  }
  return graceMs === 0 ? null : { graceMs, criticalMs };
}

function engineSocket(found: Found<string> | null, dockerHost: string | undefined): string {
  if (found) return found.value.replace(/^unix:\/\//, '');
  if (dockerHost === undefined || dockerHost === '') return '/var/run/docker.sock';
  if (!dockerHost.startsWith('unix://')) {
    throw new ConfigError(
      `DOCKER_HOST: "${excerpt(dockerHost)}" is not a unix socket; the engine must run on this node: unset it or pass --engine-socket`,
    );
  }
  return dockerHost.slice('unix://'.length);
}
