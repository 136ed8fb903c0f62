/** Rows of the table of supported fields: metadata and the fields of the pod as a whole. Data only. */
import type { SupportRow } from './pod-support-row.js';

const NO_CLUSTER = 'there is no API server beside the pod';
const NO_SCHEDULER = 'only a scheduler reads it';
const REQUIRED_AFFINITY =
  'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution';
const NO_SECURITY = 'the security context is not applied yet';

export const METADATA_SUPPORT: readonly SupportRow[] = [
  ['apiVersion', 'supported', 'always v1'],
  ['kind', 'supported', 'always Pod'],
  ['metadata', 'supported', ''],
  ['metadata.name', 'supported', 'the node’s name is added to it'],
  ['metadata.namespace', 'supported', '`default` if absent'],
  ['metadata.uid', 'supported', 'for files on a node only; a bundle may not give it'],
  ['metadata.labels', 'supported', ''],
  ['metadata.annotations', 'supported', ''],
  ['metadata.generateName', 'ignored', 'the name must be given'],
  ['metadata.creationTimestamp', 'ignored', NO_CLUSTER],
  ['metadata.deletionGracePeriodSeconds', 'ignored', NO_CLUSTER],
  ['metadata.deletionTimestamp', 'forbidden', 'a manifest cannot be under deletion'],
  ['metadata.finalizers', 'ignored', NO_CLUSTER],
  ['metadata.generation', 'ignored', NO_CLUSTER],
  ['metadata.managedFields', 'ignored', NO_CLUSTER],
  ['metadata.ownerReferences', 'ignored', NO_CLUSTER],
  ['metadata.resourceVersion', 'ignored', NO_CLUSTER],
  ['metadata.selfLink', 'ignored', NO_CLUSTER],
  ['status', 'ignored', 'the node reports it, a manifest cannot set it'],
];

export const SPEC_SUPPORT: readonly SupportRow[] = [
  ['spec', 'supported', ''],
  ['spec.activeDeadlineSeconds', 'refused', 'deadlines are not kept yet'],
  ['spec.affinity', 'supported', ''],
  ['spec.affinity.nodeAffinity', 'supported', ''],
  [
    'spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution',
    'ignored',
    NO_SCHEDULER,
  ],
  [REQUIRED_AFFINITY, 'supported', 'a pod that asks for another node is not started'],
  [`${REQUIRED_AFFINITY}.nodeSelectorTerms`, 'supported', ''],
  ...(['matchExpressions', 'matchFields'] as const).flatMap((list): SupportRow[] => {
    const at = `${REQUIRED_AFFINITY}.nodeSelectorTerms[].${list}`;
    const reason = list === 'matchFields' ? 'only metadata.name' : '';
    return [
      [at, 'supported', ''],
      [`${at}[].key`, 'supported', reason],
      [`${at}[].operator`, 'supported', ''],
      [`${at}[].values`, 'supported', ''],
    ];
  }),
  ['spec.affinity.podAffinity', 'ignored', NO_SCHEDULER],
  ['spec.affinity.podAntiAffinity', 'ignored', NO_SCHEDULER],
  ['spec.automountServiceAccountToken', 'default', 'there are no service account tokens', [false]],
  ['spec.dnsConfig', 'default', 'DNS settings are not applied yet', [{}]],
  [
    'spec.dnsPolicy',
    'default',
    'DNS settings are not applied yet; the node’s own are used',
    ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default'],
  ],
  ['spec.enableServiceLinks', 'ignored', 'there are no services to link to'],
  ['spec.ephemeralContainers', 'forbidden', 'a manifest cannot have ephemeral containers', [[]]],
  ['spec.hostAliases', 'default', 'aliases are not written into the hosts file yet', [[]]],
  ['spec.hostIPC', 'default', 'the IPC namespace of the host is not shared yet', [false]],
  ['spec.hostNetwork', 'default', 'the network of the host is not shared yet', [false]],
  ['spec.hostPID', 'default', 'the process namespace of the host is not shared yet', [false]],
  ['spec.hostUsers', 'default', 'user namespaces are not made yet', [true]],
  ['spec.hostname', 'supported', ''],
  ['spec.hostnameOverride', 'refused', 'use spec.hostname'],
  ['spec.imagePullSecrets', 'supported', 'Secrets in the directory; tried without when missing'],
  ['spec.imagePullSecrets[].name', 'supported', ''],
  ['spec.initContainers', 'default', 'init containers and sidecars are not run yet', [[]]],
  ['spec.nodeName', 'ignored', 'the node that has the manifest puts its own name there'],
  ['spec.nodeSelector', 'supported', 'a pod that asks for another node is not started'],
  ['spec.os', 'supported', ''],
  ['spec.os.name', 'supported', 'a pod for another system than `linux` is not started'],
  ['spec.overhead', 'default', 'runtime classes do not exist here', [{}]],
  ['spec.preemptionPolicy', 'ignored', NO_SCHEDULER],
  ['spec.priority', 'supported', 'who starts first and is stopped last; nothing is preempted'],
  [
    'spec.priorityClassName',
    'supported',
    '`system-node-critical` and `system-cluster-critical`; for others `spec.priority` counts',
  ],
  ['spec.readinessGates', 'forbidden', 'nothing here could open a gate', [[]]],
  ['spec.resourceClaims', 'forbidden', 'devices cannot be claimed', [[]]],
  ['spec.resources', 'default', 'give resources to the containers', [{}]],
  ['spec.restartPolicy', 'supported', ''],
  ['spec.runtimeClassName', 'default', 'runtime classes do not exist here', ['']],
  ['spec.schedulerName', 'ignored', NO_SCHEDULER],
  ['spec.schedulingGates', 'forbidden', 'nothing here could open a gate', [[]]],
  ['spec.securityContext', 'default', NO_SECURITY, [{}]],
  ['spec.serviceAccount', 'forbidden', 'a static pod may not refer to a ServiceAccount', ['']],
  ['spec.serviceAccountName', 'forbidden', 'a static pod may not refer to a ServiceAccount', ['']],
  ['spec.setHostnameAsFQDN', 'default', 'host names with a domain are not set yet', [false]],
  ['spec.shareProcessNamespace', 'default', 'processes are not shared yet', [false]],
  ['spec.subdomain', 'default', 'host names with a domain are not set yet', ['']],
  ['spec.terminationGracePeriodSeconds', 'supported', ''],
  ['spec.tolerations', 'ignored', 'taints do not keep static pods away'],
  ['spec.topologySpreadConstraints', 'ignored', NO_SCHEDULER],
  ['spec.workloadRef', 'refused', 'there are no workloads beside the pod'],
];
