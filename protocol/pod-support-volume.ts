/** Rows of the table of supported fields: volumes. Data only. */
import type { SupportRow } from './pod-support-row.js';

const NO_SECRET = 'secret values are not delivered yet';
const NO_CONFIG_MAP = 'ConfigMaps are not delivered yet';
const NO_VOLUME = 'only emptyDir and hostPath volumes can be mounted';
const NO_STORAGE_API = 'a static pod may not refer to storage objects of an API server';

export const VOLUME_SUPPORT: readonly SupportRow[] = [
  ['spec.volumes', 'supported', ''],
  ['spec.volumes[].name', 'supported', ''],
  ['spec.volumes[].emptyDir', 'supported', 'also what a volume without a source is'],
  ['spec.volumes[].emptyDir.medium', 'default', 'only the node’s default medium', ['']],
  ['spec.volumes[].emptyDir.sizeLimit', 'refused', 'the size would not be limited'],
  ['spec.volumes[].hostPath', 'supported', ''],
  ['spec.volumes[].hostPath.path', 'supported', ''],
  ['spec.volumes[].hostPath.type', 'supported', ''],
  ['spec.volumes[].awsElasticBlockStore', 'refused', NO_VOLUME],
  ['spec.volumes[].azureDisk', 'refused', NO_VOLUME],
  ['spec.volumes[].azureFile', 'refused', `it names a Secret, and ${NO_SECRET}`],
  ['spec.volumes[].cephfs', 'refused', NO_VOLUME],
  ['spec.volumes[].cinder', 'refused', NO_VOLUME],
  ['spec.volumes[].configMap', 'refused', NO_CONFIG_MAP],
  ['spec.volumes[].csi', 'forbidden', NO_STORAGE_API],
  ['spec.volumes[].downwardAPI', 'refused', NO_VOLUME],
  ['spec.volumes[].ephemeral', 'forbidden', NO_STORAGE_API],
  ['spec.volumes[].fc', 'refused', NO_VOLUME],
  ['spec.volumes[].flexVolume', 'refused', NO_VOLUME],
  ['spec.volumes[].flocker', 'refused', NO_VOLUME],
  ['spec.volumes[].gcePersistentDisk', 'refused', NO_VOLUME],
  ['spec.volumes[].gitRepo', 'refused', NO_VOLUME],
  ['spec.volumes[].glusterfs', 'refused', NO_VOLUME],
  ['spec.volumes[].image', 'refused', NO_VOLUME],
  ['spec.volumes[].iscsi', 'refused', NO_VOLUME],
  ['spec.volumes[].nfs', 'refused', NO_VOLUME],
  ['spec.volumes[].persistentVolumeClaim', 'forbidden', NO_STORAGE_API],
  ['spec.volumes[].photonPersistentDisk', 'refused', NO_VOLUME],
  ['spec.volumes[].portworxVolume', 'refused', NO_VOLUME],
  ['spec.volumes[].projected', 'refused', NO_VOLUME],
  ['spec.volumes[].quobyte', 'refused', NO_VOLUME],
  ['spec.volumes[].rbd', 'refused', NO_VOLUME],
  ['spec.volumes[].scaleIO', 'refused', `it names a Secret, and ${NO_SECRET}`],
  ['spec.volumes[].secret', 'refused', NO_SECRET],
  ['spec.volumes[].storageos', 'refused', NO_VOLUME],
  ['spec.volumes[].vsphereVolume', 'refused', NO_VOLUME],
];
