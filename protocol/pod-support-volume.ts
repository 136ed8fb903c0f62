/** Rows of the table of supported fields: volumes. Data only. */
import type { SupportRow } from './pod-support-row.js';

const NO_STORAGE_API = 'a static pod may not refer to storage objects of an API server';
const NO_TOKENS = 'not on this engine: there is no API server to sign it';
const NO_NETWORK =
  'not on this engine: mount it on the node and use a hostPath, so that a lost server ends no pod';
const NO_CLOUD = 'not on this engine: there is no cloud to attach it';

const CONNECTION =
  'of `flotilla.dev/connected` and `flotilla.dev/connected-since` the agent has the word';

/** Rows of one list of files by key. */
function items(at: string): readonly SupportRow[] {
  return [
    [`${at}.items`, 'supported', ''],
    [`${at}.items[].key`, 'supported', ''],
    [`${at}.items[].mode`, 'supported', ''],
    [`${at}.items[].path`, 'supported', ''],
  ];
}

/** Rows of one list of files from the pod's own fields. */
function files(at: string): readonly SupportRow[] {
  return [
    [`${at}.items`, 'supported', ''],
    [`${at}.items[].fieldRef`, 'supported', ''],
    [`${at}.items[].fieldRef.apiVersion`, 'default', 'only v1', ['', 'v1']],
    [`${at}.items[].fieldRef.fieldPath`, 'supported', CONNECTION],
    [`${at}.items[].mode`, 'supported', ''],
    [`${at}.items[].path`, 'supported', ''],
    [`${at}.items[].resourceFieldRef`, 'supported', ''],
    [`${at}.items[].resourceFieldRef.containerName`, 'supported', ''],
    [`${at}.items[].resourceFieldRef.divisor`, 'supported', ''],
    [`${at}.items[].resourceFieldRef.resource`, 'supported', ''],
  ];
}

const PROJECTED = 'spec.volumes[].projected';

const PROJECTED_SUPPORT: readonly SupportRow[] = [
  [PROJECTED, 'supported', ''],
  [`${PROJECTED}.defaultMode`, 'supported', ''],
  [`${PROJECTED}.sources`, 'supported', ''],
  [`${PROJECTED}.sources[].clusterTrustBundle`, 'refused', NO_TOKENS],
  [`${PROJECTED}.sources[].configMap`, 'supported', ''],
  ...items(`${PROJECTED}.sources[].configMap`),
  [`${PROJECTED}.sources[].configMap.name`, 'supported', ''],
  [`${PROJECTED}.sources[].configMap.optional`, 'supported', ''],
  [`${PROJECTED}.sources[].downwardAPI`, 'supported', ''],
  ...files(`${PROJECTED}.sources[].downwardAPI`),
  [`${PROJECTED}.sources[].podCertificate`, 'refused', NO_TOKENS],
  [`${PROJECTED}.sources[].secret`, 'supported', ''],
  ...items(`${PROJECTED}.sources[].secret`),
  [`${PROJECTED}.sources[].secret.name`, 'supported', ''],
  [`${PROJECTED}.sources[].secret.optional`, 'supported', ''],
  [`${PROJECTED}.sources[].serviceAccountToken`, 'refused', NO_TOKENS],
];

export const VOLUME_SUPPORT: readonly SupportRow[] = [
  ['spec.volumes', 'supported', ''],
  ['spec.volumes[].name', 'supported', ''],
  ['spec.volumes[].emptyDir', 'supported', 'also what a volume without a source is'],
  [
    'spec.volumes[].emptyDir.medium',
    'supported',
    '`Memory` where the agent may mount; huge pages are refused',
  ],
  [
    'spec.volumes[].emptyDir.sizeLimit',
    'supported',
    'in memory the size of the file system; on disk it is measured, and the pod that is over it is evicted',
  ],
  ['spec.volumes[].hostPath', 'supported', ''],
  ['spec.volumes[].hostPath.path', 'supported', ''],
  [
    'spec.volumes[].hostPath.type',
    'supported',
    'containers may open what `CharDevice` and `BlockDevice` name, for reading alone if mounted so',
  ],
  ['spec.volumes[].configMap', 'supported', 'of a document beside the pod'],
  ['spec.volumes[].configMap.defaultMode', 'supported', ''],
  ...items('spec.volumes[].configMap'),
  ['spec.volumes[].configMap.name', 'supported', ''],
  ['spec.volumes[].configMap.optional', 'supported', ''],
  ['spec.volumes[].downwardAPI', 'supported', ''],
  ['spec.volumes[].downwardAPI.defaultMode', 'supported', ''],
  ...files('spec.volumes[].downwardAPI'),
  ...PROJECTED_SUPPORT,
  ['spec.volumes[].secret', 'supported', 'of a document beside the pod'],
  ['spec.volumes[].secret.defaultMode', 'supported', ''],
  ...items('spec.volumes[].secret'),
  ['spec.volumes[].secret.optional', 'supported', ''],
  ['spec.volumes[].secret.secretName', 'supported', ''],
  ['spec.volumes[].awsElasticBlockStore', 'refused', NO_CLOUD],
  ['spec.volumes[].azureDisk', 'refused', NO_CLOUD],
  ['spec.volumes[].azureFile', 'refused', NO_CLOUD],
  ['spec.volumes[].cephfs', 'refused', NO_NETWORK],
  ['spec.volumes[].cinder', 'refused', NO_CLOUD],
  ['spec.volumes[].csi', 'forbidden', NO_STORAGE_API],
  ['spec.volumes[].ephemeral', 'forbidden', NO_STORAGE_API],
  ['spec.volumes[].fc', 'refused', NO_NETWORK],
  ['spec.volumes[].flexVolume', 'refused', 'not on this engine: there are no volume drivers'],
  ['spec.volumes[].flocker', 'refused', NO_NETWORK],
  ['spec.volumes[].gcePersistentDisk', 'refused', NO_CLOUD],
  ['spec.volumes[].gitRepo', 'refused', 'not on this engine: clone it in an init container'],
  ['spec.volumes[].glusterfs', 'refused', NO_NETWORK],
  [
    'spec.volumes[].image',
    'refused',
    'not on this engine: copy the files in an init container of that image',
  ],
  ['spec.volumes[].iscsi', 'refused', NO_NETWORK],
  ['spec.volumes[].nfs', 'refused', NO_NETWORK],
  ['spec.volumes[].persistentVolumeClaim', 'forbidden', NO_STORAGE_API],
  ['spec.volumes[].photonPersistentDisk', 'refused', NO_CLOUD],
  ['spec.volumes[].portworxVolume', 'refused', NO_NETWORK],
  ['spec.volumes[].quobyte', 'refused', NO_NETWORK],
  ['spec.volumes[].rbd', 'refused', NO_NETWORK],
  ['spec.volumes[].scaleIO', 'refused', NO_NETWORK],
  ['spec.volumes[].storageos', 'refused', NO_NETWORK],
  ['spec.volumes[].vsphereVolume', 'refused', NO_CLOUD],
];
