/**
 * What the TypeScript declarations of a Pod cannot say, as edits of the schema made from them.
 *
 * Sources: the Kubernetes API's OpenAPI document and API validation (v1.36). Keys are
 * `Definition.field`; every key must exist, or the build fails, so that no edit is lost silently.
 */

/** Numbers are int32/int64 everywhere in a Pod: kubernetes-types calls them all `number`. */
export const INTEGER_BOUNDS = {
  'PodSpec.terminationGracePeriodSeconds': { minimum: 0 },
  'PodSpec.activeDeadlineSeconds': { minimum: 1, maximum: 2147483647 },
  'ContainerPort.containerPort': { minimum: 1, maximum: 65535 },
  'ContainerPort.hostPort': { minimum: 0, maximum: 65535 },
  'GRPCAction.port': { minimum: 1, maximum: 65535 },
  'Probe.failureThreshold': { minimum: 0 },
  'Probe.initialDelaySeconds': { minimum: 0 },
  'Probe.periodSeconds': { minimum: 0 },
  'Probe.successThreshold': { minimum: 0 },
  'Probe.timeoutSeconds': { minimum: 0 },
  'Probe.terminationGracePeriodSeconds': { minimum: 1 },
  'SecurityContext.runAsUser': { minimum: 0, maximum: 2147483647 },
  'SecurityContext.runAsGroup': { minimum: 0, maximum: 2147483647 },
  'PodSecurityContext.runAsUser': { minimum: 0, maximum: 2147483647 },
  'PodSecurityContext.runAsGroup': { minimum: 0, maximum: 2147483647 },
  'PodSecurityContext.fsGroup': { minimum: 0, maximum: 2147483647 },
  'ConfigMapVolumeSource.defaultMode': { minimum: 0, maximum: 511 },
  'SecretVolumeSource.defaultMode': { minimum: 0, maximum: 511 },
  'DownwardAPIVolumeSource.defaultMode': { minimum: 0, maximum: 511 },
  'ProjectedVolumeSource.defaultMode': { minimum: 0, maximum: 511 },
  'KeyToPath.mode': { minimum: 0, maximum: 511 },
  'DownwardAPIVolumeFile.mode': { minimum: 0, maximum: 511 },
};

/** Closed lists of values. */
export const ENUMS = {
  'Pod.apiVersion': ['v1'],
  'Pod.kind': ['Pod'],
  'PodSpec.restartPolicy': ['Always', 'OnFailure', 'Never'],
  'PodSpec.dnsPolicy': ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'],
  'PodSpec.preemptionPolicy': ['PreemptLowerPriority', 'Never'],
  'PodOS.name': ['linux', 'windows'],
  'Container.imagePullPolicy': ['Always', 'IfNotPresent', 'Never'],
  'Container.terminationMessagePolicy': ['File', 'FallbackToLogsOnError'],
  'Container.restartPolicy': ['Always', 'OnFailure', 'Never'],
  'ContainerPort.protocol': ['TCP', 'UDP', 'SCTP'],
  'HTTPGetAction.scheme': ['HTTP', 'HTTPS'],
  'HostPathVolumeSource.type': [
    '',
    'DirectoryOrCreate',
    'Directory',
    'FileOrCreate',
    'File',
    'Socket',
    'CharDevice',
    'BlockDevice',
  ],
  'VolumeMount.mountPropagation': ['None', 'HostToContainer', 'Bidirectional'],
  'VolumeMount.recursiveReadOnly': ['Disabled', 'IfPossible', 'Enabled'],
  'SecurityContext.procMount': ['Default', 'Unmasked'],
  'SeccompProfile.type': ['Localhost', 'RuntimeDefault', 'Unconfined'],
  'AppArmorProfile.type': ['Localhost', 'RuntimeDefault', 'Unconfined'],
  'PodSecurityContext.fsGroupChangePolicy': ['OnRootMismatch', 'Always'],
  'PodSecurityContext.seLinuxChangePolicy': ['MountOption', 'Recursive'],
  'PodSecurityContext.supplementalGroupsPolicy': ['Merge', 'Strict'],
  'Toleration.operator': ['Exists', 'Equal', 'Lt', 'Gt'],
  'Toleration.effect': ['', 'NoSchedule', 'PreferNoSchedule', 'NoExecute'],
  'NodeSelectorRequirement.operator': ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'],
  'TopologySpreadConstraint.whenUnsatisfiable': ['DoNotSchedule', 'ScheduleAnyway'],
  'ContainerResizePolicy.restartPolicy': ['NotRequired', 'RestartContainer'],
};

/** Names of entries in `protocol/pod-grammar.ts`. */
export const PATTERNS = {
  'ObjectMeta.name': 'dnsSubdomain',
  'ObjectMeta.namespace': 'dnsLabel',
  'ObjectMeta.uid': 'podUid',
  'PodSpec.hostname': 'dnsLabel',
  'PodSpec.subdomain': 'dnsLabel',
  'PodSpec.hostnameOverride': 'nodeHostname',
  'PodSpec.nodeName': 'dnsSubdomain',
  'Sysctl.name': 'sysctlName',
  'Container.name': 'dnsLabel',
  'Container.workingDir': 'absolutePath',
  'ContainerPort.name': 'portName',
  'EnvVar.name': 'envName',
  'Volume.name': 'dnsLabel',
  'HostPathVolumeSource.path': 'absolutePath',
};

/** Fields whose empty string means the same as their absence. */
export const EMPTY_IS_ABSENT = [
  'ObjectMeta.namespace',
  'ObjectMeta.uid',
  'PodSpec.hostname',
  'PodSpec.subdomain',
  'PodSpec.hostnameOverride',
  'PodSpec.nodeName',
  'Container.workingDir',
  'ContainerPort.name',
];

/** Fields that API validation wants and the declarations leave optional. */
export const REQUIRED = {
  Pod: ['apiVersion', 'kind', 'metadata', 'spec'],
  Container: ['image'],
};

/** Lists with at least one item. */
export const NOT_EMPTY = ['PodSpec.containers'];

/** Texts that may not be empty and have no grammar of their own. */
export const NOT_BLANK = [
  'Container.image',
  'VolumeMount.name',
  'VolumeMount.mountPath',
  'ObjectFieldSelector.fieldPath',
  'ResourceFieldSelector.resource',
];

/**
 * Objects that nothing here reads: any content is accepted, whatever version of Kubernetes wrote
 * it.
 */
export const OPEN = ['Pod.status', 'ManagedFieldsEntry.fieldsV1'];

/**
 * Fields of Kubernetes 1.31 to 1.36, which the declarations (1.30) do not have, so that they are
 * refused as not supported and not as unknown.
 */
export const NEWER_FIELDS = {
  PodSpec: {
    hostnameOverride: { type: 'string' },
    resources: { $ref: '#/definitions/ResourceRequirements' },
    workloadRef: { type: 'object' },
  },
  Container: { restartPolicyRules: { type: 'array', items: { type: 'object' } } },
  EnvVarSource: {
    fileKeyRef: {
      type: 'object',
      properties: {
        volumeName: { type: 'string' },
        path: { type: 'string' },
        key: { type: 'string' },
        optional: { type: 'boolean' },
      },
      required: ['volumeName', 'path', 'key'],
      additionalProperties: false,
    },
  },
  Lifecycle: { stopSignal: { type: 'string' } },
  PodResourceClaim: {
    resourceClaimName: { type: 'string' },
    resourceClaimTemplateName: { type: 'string' },
  },
  PodSecurityContext: {
    seLinuxChangePolicy: { type: 'string' },
    supplementalGroupsPolicy: { type: 'string' },
  },
  ResourceClaim: { request: { type: 'string' } },
  Volume: {
    image: {
      type: 'object',
      properties: { pullPolicy: { type: 'string' }, reference: { type: 'string' } },
      additionalProperties: false,
    },
  },
  VolumeProjection: { podCertificate: { type: 'object' } },
};
