/**
 * The settings in force, as a configuration file would say them: what `/configz` and `flotilla-agent config` show. No
 * value of a header, and of URLs no password. Pure.
 */
import type { AgentConfig } from './config.js';
import { formatDuration } from '../protocol/duration.js';
import { shownUrl } from './sources/url-decide.js';

const HIDDEN = '<hidden>';

export type ShownConfig = Readonly<Record<string, unknown>>;

/** Names and forms of the configuration file; what is not set is left out. */
export function shownConfig(config: AgentConfig): ShownConfig {
  const { dns, images, apiListen, retention } = config;
  const all: ShownConfig = {
    kind: 'AgentConfiguration',
    dataDir: config.dataDir,
    nodeName: config.nodeName,
    nodeLabels: config.nodeLabels,
    runtime: config.runtime,
    engineSocket: config.engineSocket,
    kubeletPods: config.kubeletPods,
    apiListen: apiListen && listenText(apiListen),
    staticPodPath: config.staticPodPath,
    fileCheckFrequency: formatDuration(config.fileCheckFrequencyMs),
    ...urlSettings(config.url),
    allowedUnsafeSysctls: config.allowedUnsafeSysctls,
    allowSecretEnv: config.allowSecretEnv,
    maxPods: config.maxPods,
    podPidsLimit: config.podPidsLimit,
    singleProcessOOMKill: config.singleProcessOOMKill,
    revokedBundles: config.revokedBundles,
    drift: config.drift,
    linkBudget: config.budget.link,
    writeBudget: config.budget.writes,
    keepAliveMax: formatDuration(config.keepAliveMaxMs),
    maintenanceWindows: config.maintenanceWindows,
    remoteAccess: config.remoteAccess,
    journalMaxRows: retention.historyRows,
    journalMaxAge: formatDuration(retention.historyAgeMs),
    journalMaxBytes: retention.historyBytes,
    outboxMaxEvents: retention.outboxEvents,
    outboxMaxBytes: retention.outboxBytes,
    clusterDNS: dns.clusterDNS,
    clusterDomain: dns.clusterDomain,
    resolvConf: dns.resolvConf,
    podLogsDir: config.podLogsDir,
    maxContainerRestartPeriod: formatDuration(config.restartBackOffMaxMs),
    maxParallelImagePulls: images.maxParallelPulls,
    imagePullMaxBytes: images.pullMaxBytes ?? 0,
    registryCredentials: images.credentialsFile,
    imageGarbageCollection: images.garbage !== null,
    ...garbageSettings(images.garbage),
    ...shutdownSettings(config.shutdown),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

/** What the environment says beside the settings. */
export function shownEnvironment({ url, extraAuthoritiesFile }: AgentConfig): ShownConfig {
  const { http = null, https = null, except = null } = url?.proxies ?? {};
  const all = {
    HTTP_PROXY: shownProxy(http),
    HTTPS_PROXY: shownProxy(https),
    NO_PROXY: except === '' ? null : except,
    NODE_EXTRA_CA_CERTS: extraAuthoritiesFile,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

function shownProxy(text: string | null): string | null {
  return text === null ? null : text.replace(/^(.*:\/\/)?.*@/, `$1${HIDDEN}@`);
}

function listenText({ host, port }: NonNullable<AgentConfig['apiListen']>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function urlSettings(url: AgentConfig['url']): ShownConfig {
  if (url === null) return {};
  const headers = Object.entries(url.headers);
  return {
    staticPodURL: shownUrl(url.url),
    staticPodURLHeader:
      headers.length === 0
        ? null
        : Object.fromEntries(headers.map(([name, values]) => [name, values.map(() => HIDDEN)])),
    httpCheckFrequency: formatDuration(url.checkFrequencyMs),
  };
}

function garbageSettings(garbage: AgentConfig['images']['garbage']): ShownConfig {
  if (garbage === null) return {};
  return {
    imageGCHighThresholdPercent: garbage.highPercent,
    imageGCLowThresholdPercent: garbage.lowPercent,
    imageMinimumGCAge: formatDuration(garbage.minimumAgeMs),
    imageMaximumGCAge: formatDuration(garbage.maximumAgeMs),
  };
}

function shutdownSettings(shutdown: AgentConfig['shutdown']): ShownConfig {
  if (shutdown === null) return {};
  return {
    shutdownGracePeriod: formatDuration(shutdown.graceMs),
    shutdownGracePeriodCriticalPods: formatDuration(shutdown.criticalMs),
  };
}
