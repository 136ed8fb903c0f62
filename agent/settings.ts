/**
 * The table of the agent's settings: name in the configuration file, kind, and whether flags and environment can give
 * it too. Names and meanings are the kubelet's own (`kubelet.config.k8s.io/v1beta1`) where it has them. Data only.
 */
import {
  BOOLEAN,
  budget,
  DOCUMENT,
  DOCUMENTS,
  duration,
  HEADERS,
  HTTP_URL,
  integer,
  LABELS,
  LOOPBACK_ADDRESS,
  oneOf,
  someOf,
  TEXT,
  TEXTS,
} from './setting-kinds.js';
import { STREAM_KINDS } from './streams/access.js';

const SECOND = { ms: 1_000, text: '1s' } as const;
const NOTHING = { ms: 0, text: '0s' } as const;

export const SETTINGS = {
  dataDir: TEXT,
  nodeName: TEXT,
  nodeLabels: LABELS,
  /** `none`: the agent stops at the directory, where a kubelet runs the pods. */
  runtime: oneOf('engine', 'none'),
  engineSocket: TEXT,
  /** Where a kubelet answers `/pods`, for `runtime: none`. */
  kubeletPods: HTTP_URL,
  apiListen: LOOPBACK_ADDRESS,
  /** What becomes of pods whose bundle the root withdrew. */
  revokedBundles: oneOf('keep', 'stop'),
  drift: oneOf('restore', 'report'),
  /** Bundles switch only then, and only in their own windows. */
  maintenanceWindows: DOCUMENTS,
  /** The longest silence on the link that is announced to a broker. */
  keepAliveMax: duration({ ms: 60_000, text: '1m' }, { ms: 1_200_000, text: '20m' }),
  /** Bytes of the link a month, and written a day; the hub may say a lower one. */
  linkBudget: budget('link'),
  writeBudget: budget('writes'),
  /** What the hub may be given of the pods. */
  remoteAccess: someOf(...STREAM_KINDS),

  /** What the journal keeps of its history. */
  journalMaxRows: integer(100, 100_000),
  journalMaxAge: duration(NOTHING),
  journalMaxBytes: integer(65_536, 1_000_000_000),
  /** Events that wait for the hub. */
  outboxMaxEvents: integer(100, 1_000_000),
  outboxMaxBytes: integer(65_536, 1_000_000_000),

  staticPodPath: TEXT,
  fileCheckFrequency: duration({ ms: 100, text: '100ms' }),
  staticPodURL: HTTP_URL,
  staticPodURLHeader: HEADERS,
  httpCheckFrequency: duration(SECOND),

  admission: DOCUMENT,
  allowedUnsafeSysctls: TEXTS,
  /** Sealed Secrets may become environment variables, which the engine keeps in clear on its disk. */
  allowSecretEnv: BOOLEAN,
  maxPods: integer(1, 10_000),
  podPidsLimit: integer(-1, 4_194_304),
  singleProcessOOMKill: BOOLEAN,

  clusterDNS: TEXTS,
  clusterDomain: TEXT,
  resolvConf: TEXT,
  podLogsDir: TEXT,

  /** The kubelet has it one level down, in `crashLoopBackOff`; both ways are taken. */
  maxContainerRestartPeriod: duration(SECOND),
  serializeImagePulls: BOOLEAN,
  maxParallelImagePulls: integer(1, 64),
  /** Of one image, compressed, without the layers that are here; 0 = no maximum. */
  imagePullMaxBytes: integer(0, 1_000_000_000_000),
  /** Docker's config.json form; mode 0600. */
  registryCredentials: TEXT,
  imageGarbageCollection: BOOLEAN,
  imageGCHighThresholdPercent: integer(1, 100),
  imageGCLowThresholdPercent: integer(0, 99),
  imageMinimumGCAge: duration(NOTHING),
  imageMaximumGCAge: duration(NOTHING),
  shutdownGracePeriod: duration(NOTHING),
  shutdownGracePeriodCriticalPods: duration(NOTHING),
} as const;

export type SettingName = keyof typeof SETTINGS;

type KindOf<N extends SettingName> = (typeof SETTINGS)[N];
export type SettingValue<N extends SettingName> = NonNullable<ReturnType<KindOf<N>['read']>>;

/** In the configuration file alone: secrets, and what is too large for a flag. */
export const FILE_ONLY: ReadonlySet<SettingName> = new Set([
  'staticPodURLHeader',
  'admission',
  'maintenanceWindows',
] as const);

/** The kubelet knows these under the same name: taken from a `KubeletConfiguration` unchanged. */
export const KUBELET_SETTINGS: ReadonlySet<SettingName> = new Set([
  'staticPodPath',
  'fileCheckFrequency',
  'staticPodURL',
  'staticPodURLHeader',
  'httpCheckFrequency',
  'allowedUnsafeSysctls',
  'maxPods',
  'podPidsLimit',
  'singleProcessOOMKill',
  'clusterDNS',
  'clusterDomain',
  'resolvConf',
  'podLogsDir',
  'serializeImagePulls',
  'maxParallelImagePulls',
  'imagePullMaxBytes',
  'imageGCHighThresholdPercent',
  'imageGCLowThresholdPercent',
  'imageMinimumGCAge',
  'imageMaximumGCAge',
  'shutdownGracePeriod',
  'shutdownGracePeriodCriticalPods',
] as const);

/** `FLOTILLA_` and the name in upper snake case: `staticPodURL` is `FLOTILLA_STATIC_POD_URL`. */
export function envName(setting: string): string {
  return `FLOTILLA_${words(setting).join('_').toUpperCase()}`;
}

/** `--static-pod-path`. */
export function flagName(setting: string): string {
  return `--${words(setting).join('-').toLowerCase()}`;
}

function words(setting: string): string[] {
  return setting
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .split(' ');
}
