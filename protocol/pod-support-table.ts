/**
 * Which fields of a Pod this version runs, and what becomes of the others: one row per field.
 *
 * A row speaks for all that lies below it unless rows below it exist. A field without effect is
 * accepted only where it could have none on any single node; everything else that is not run is
 * refused, never dropped. A test holds this table against the schema, so that no field is
 * forgotten. Data only.
 */

/**
 * - `supported`: does what Kubernetes documents;
 * - `ignored`: accepted and without effect here, because its subject does not exist on a node of
 *   its own;
 * - `default`: accepted at the values in `values`, which all mean "nothing special"; the others are
 *   not supported yet;
 * - `refused`: not supported yet;
 * - `forbidden`: cannot be in a static pod at all, as on a kubelet.
 */
export type Verdict = 'supported' | 'ignored' | 'default' | 'refused' | 'forbidden';

export interface FieldSupport {
  /** With `[]` for each item of a list and `*` for any other key of a map. */
  readonly path: string;
  readonly verdict: Verdict;
  /** For `refused` and `forbidden` what the error adds; else what a reader of the docs learns. */
  readonly reason: string;
  /** Values that mean the same as the field's absence, and so are accepted whatever the verdict. */
  readonly values?: readonly unknown[];
}

type Row = readonly [string, Verdict, string, (readonly unknown[])?];

const NO_CLUSTER = 'there is no API server beside the pod';
const NO_SCHEDULER = 'only a scheduler reads it';
const NO_SECRET = 'secret values are not delivered yet';
const NO_CONFIG_MAP = 'ConfigMaps are not delivered yet';
const NO_VOLUME = 'only emptyDir and hostPath volumes can be mounted';
const NO_STORAGE_API = 'a static pod may not refer to storage objects of an API server';
const NO_PROBE = 'probes are not run yet';
const NO_SECURITY = 'the security context is not applied yet';
const NO_RESOURCE = 'only cpu and memory are applied';

const METADATA: readonly Row[] = [
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

const SPEC: readonly Row[] = [
  ['spec', 'supported', ''],
  ['spec.activeDeadlineSeconds', 'refused', 'deadlines are not kept yet'],
  ['spec.affinity', 'default', 'node affinity is not checked yet', [{}]],
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
  ['spec.imagePullSecrets', 'default', NO_SECRET, [[]]],
  ['spec.initContainers', 'default', 'init containers and sidecars are not run yet', [[]]],
  ['spec.nodeName', 'ignored', 'the node that has the manifest puts its own name there'],
  ['spec.nodeSelector', 'default', 'node labels are not checked yet', [{}]],
  ['spec.os', 'default', 'only Linux runs here', [{ name: 'linux' }]],
  ['spec.overhead', 'default', 'runtime classes do not exist here', [{}]],
  ['spec.preemptionPolicy', 'ignored', NO_SCHEDULER],
  ['spec.priority', 'ignored', 'pods are neither evicted nor preempted here'],
  ['spec.priorityClassName', 'ignored', 'pods are neither evicted nor preempted here'],
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
  ['spec.tolerations', 'ignored', 'a node of its own has no taints'],
  ['spec.topologySpreadConstraints', 'ignored', NO_SCHEDULER],
  ['spec.workloadRef', 'refused', 'there are no workloads beside the pod'],
];

const CONTAINER: readonly Row[] = [
  ['spec.containers', 'supported', ''],
  ['spec.containers[].args', 'supported', ''],
  ['spec.containers[].command', 'supported', ''],
  ['spec.containers[].env', 'supported', ''],
  ['spec.containers[].env[].name', 'supported', ''],
  ['spec.containers[].env[].value', 'supported', ''],
  ['spec.containers[].env[].valueFrom', 'supported', ''],
  ['spec.containers[].env[].valueFrom.configMapKeyRef', 'refused', NO_CONFIG_MAP],
  ['spec.containers[].env[].valueFrom.fieldRef', 'supported', ''],
  ['spec.containers[].env[].valueFrom.fieldRef.apiVersion', 'default', 'only v1', ['', 'v1']],
  ['spec.containers[].env[].valueFrom.fieldRef.fieldPath', 'supported', ''],
  ['spec.containers[].env[].valueFrom.fileKeyRef', 'refused', 'files are not read for it yet'],
  [
    'spec.containers[].env[].valueFrom.resourceFieldRef',
    'refused',
    'resources are not given to the environment yet',
  ],
  ['spec.containers[].env[].valueFrom.secretKeyRef', 'refused', NO_SECRET],
  ['spec.containers[].envFrom', 'default', 'ConfigMaps and Secrets are not delivered yet', [[]]],
  ['spec.containers[].image', 'supported', ''],
  ['spec.containers[].imagePullPolicy', 'supported', ''],
  ['spec.containers[].lifecycle', 'default', 'hooks are not run yet', [{}]],
  ['spec.containers[].livenessProbe', 'refused', NO_PROBE],
  ['spec.containers[].name', 'supported', ''],
  ['spec.containers[].ports', 'supported', ''],
  ['spec.containers[].ports[].containerPort', 'supported', ''],
  ['spec.containers[].ports[].hostIP', 'supported', ''],
  ['spec.containers[].ports[].hostPort', 'supported', ''],
  ['spec.containers[].ports[].name', 'supported', ''],
  ['spec.containers[].ports[].protocol', 'supported', ''],
  ['spec.containers[].readinessProbe', 'refused', NO_PROBE],
  ['spec.containers[].resizePolicy', 'ignored', 'a change of resources replaces the container'],
  ['spec.containers[].resources', 'supported', ''],
  ['spec.containers[].resources.claims', 'default', 'devices cannot be claimed', [[]]],
  ['spec.containers[].resources.limits', 'supported', ''],
  ['spec.containers[].resources.limits.cpu', 'supported', ''],
  ['spec.containers[].resources.limits.memory', 'supported', ''],
  ['spec.containers[].resources.limits.*', 'refused', NO_RESOURCE],
  ['spec.containers[].resources.requests', 'supported', ''],
  ['spec.containers[].resources.requests.cpu', 'supported', ''],
  ['spec.containers[].resources.requests.memory', 'supported', ''],
  ['spec.containers[].resources.requests.*', 'refused', NO_RESOURCE],
  ['spec.containers[].restartPolicy', 'refused', 'use spec.restartPolicy, for all containers'],
  ['spec.containers[].restartPolicyRules', 'default', 'use spec.restartPolicy', [[]]],
  ['spec.containers[].securityContext', 'default', NO_SECURITY, [{}]],
  ['spec.containers[].startupProbe', 'refused', NO_PROBE],
  ['spec.containers[].stdin', 'supported', ''],
  ['spec.containers[].stdinOnce', 'supported', ''],
  [
    'spec.containers[].terminationMessagePath',
    'default',
    'termination messages are not read yet',
    ['', '/dev/termination-log'],
  ],
  [
    'spec.containers[].terminationMessagePolicy',
    'default',
    'termination messages are not read yet',
    ['File'],
  ],
  ['spec.containers[].tty', 'supported', ''],
  ['spec.containers[].volumeDevices', 'default', 'block devices are not passed on', [[]]],
  ['spec.containers[].volumeMounts', 'supported', ''],
  ['spec.containers[].volumeMounts[].mountPath', 'supported', ''],
  [
    'spec.containers[].volumeMounts[].mountPropagation',
    'default',
    'mounts are not propagated yet',
    ['None'],
  ],
  ['spec.containers[].volumeMounts[].name', 'supported', ''],
  ['spec.containers[].volumeMounts[].readOnly', 'supported', ''],
  [
    'spec.containers[].volumeMounts[].recursiveReadOnly',
    'default',
    'recursive read-only mounts are not made yet',
    ['Disabled'],
  ],
  ['spec.containers[].volumeMounts[].subPath', 'default', 'only whole volumes are mounted', ['']],
  [
    'spec.containers[].volumeMounts[].subPathExpr',
    'default',
    'only whole volumes are mounted',
    [''],
  ],
  ['spec.containers[].workingDir', 'supported', ''],
];

const VOLUME: readonly Row[] = [
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

export const POD_SUPPORT: readonly FieldSupport[] = [
  ...METADATA,
  ...SPEC,
  ...CONTAINER,
  ...VOLUME,
].map(([path, verdict, reason, values]) => ({
  path,
  verdict,
  reason,
  ...(values === undefined ? {} : { values }),
}));
