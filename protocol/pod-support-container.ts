/** Rows of the table of supported fields: containers. Data only. */
import type { SupportRow } from './pod-support-row.js';
import { containerSecuritySupport } from './pod-support-security.js';

const NO_SECRET = 'secret values are not delivered yet';
const NO_CONFIG_MAP = 'ConfigMaps are not delivered yet';
const NO_PROBE = 'probes are not run yet';
const NO_RESOURCE = 'not on this engine: only cpu and memory can be limited';

/** The rows of a list of containers: `spec.containers` or `spec.initContainers`. */
export function containerSupport(list: string): readonly SupportRow[] {
  const at = `${list}[]`;
  return [
    [list, 'supported', ''],
    [`${at}.args`, 'supported', ''],
    [`${at}.command`, 'supported', ''],
    [`${at}.env`, 'supported', ''],
    [`${at}.env[].name`, 'supported', ''],
    [`${at}.env[].value`, 'supported', ''],
    [`${at}.env[].valueFrom`, 'supported', ''],
    [`${at}.env[].valueFrom.configMapKeyRef`, 'refused', NO_CONFIG_MAP],
    [`${at}.env[].valueFrom.fieldRef`, 'supported', ''],
    [`${at}.env[].valueFrom.fieldRef.apiVersion`, 'default', 'only v1', ['', 'v1']],
    [`${at}.env[].valueFrom.fieldRef.fieldPath`, 'supported', ''],
    [`${at}.env[].valueFrom.fileKeyRef`, 'refused', 'files are not read for it yet'],
    [
      `${at}.env[].valueFrom.resourceFieldRef`,
      'refused',
      'resources are not given to the environment yet',
    ],
    [`${at}.env[].valueFrom.secretKeyRef`, 'refused', NO_SECRET],
    [`${at}.envFrom`, 'default', 'ConfigMaps and Secrets are not delivered yet', [[]]],
    [`${at}.image`, 'supported', ''],
    [`${at}.imagePullPolicy`, 'supported', ''],
    [`${at}.lifecycle`, 'default', 'hooks are not run yet', [{}]],
    [`${at}.livenessProbe`, 'refused', NO_PROBE],
    [`${at}.name`, 'supported', ''],
    [`${at}.ports`, 'supported', ''],
    [`${at}.ports[].containerPort`, 'supported', ''],
    [`${at}.ports[].hostIP`, 'supported', ''],
    [`${at}.ports[].hostPort`, 'supported', ''],
    [`${at}.ports[].name`, 'supported', ''],
    [`${at}.ports[].protocol`, 'supported', ''],
    [`${at}.readinessProbe`, 'refused', NO_PROBE],
    [`${at}.resizePolicy`, 'ignored', 'a change of resources replaces the container'],
    [`${at}.resources`, 'supported', ''],
    [`${at}.resources.claims`, 'default', 'devices cannot be claimed', [[]]],
    [`${at}.resources.limits`, 'supported', ''],
    [`${at}.resources.limits.cpu`, 'supported', ''],
    [`${at}.resources.limits.memory`, 'supported', ''],
    [`${at}.resources.limits.*`, 'refused', NO_RESOURCE],
    [`${at}.resources.requests`, 'supported', ''],
    [`${at}.resources.requests.cpu`, 'supported', ''],
    [`${at}.resources.requests.memory`, 'supported', ''],
    [
      `${at}.resources.requests.ephemeral-storage`,
      'supported',
      'counts where the pod is admitted; nothing is limited by it',
    ],
    [`${at}.resources.requests.*`, 'refused', NO_RESOURCE],
    [`${at}.restartPolicy`, 'supported', 'of an init container: Always makes it a sidecar'],
    [`${at}.restartPolicyRules`, 'supported', 'exit codes; Restart, RestartAllContainers'],
    ...containerSecuritySupport(`${at}.securityContext`),
    [`${at}.startupProbe`, 'refused', NO_PROBE],
    [`${at}.stdin`, 'supported', ''],
    [`${at}.stdinOnce`, 'supported', ''],
    [`${at}.terminationMessagePath`, 'supported', ''],
    [`${at}.terminationMessagePolicy`, 'supported', ''],
    [`${at}.tty`, 'supported', ''],
    [`${at}.volumeDevices`, 'default', 'block devices are not passed on', [[]]],
    [`${at}.volumeMounts`, 'supported', ''],
    [`${at}.volumeMounts[].mountPath`, 'supported', ''],
    [`${at}.volumeMounts[].mountPropagation`, 'default', 'mounts are not propagated yet', ['None']],
    [`${at}.volumeMounts[].name`, 'supported', ''],
    [`${at}.volumeMounts[].readOnly`, 'supported', ''],
    [
      `${at}.volumeMounts[].recursiveReadOnly`,
      'default',
      'recursive read-only mounts are not made yet',
      ['Disabled'],
    ],
    [`${at}.volumeMounts[].subPath`, 'default', 'only whole volumes are mounted', ['']],
    [`${at}.volumeMounts[].subPathExpr`, 'default', 'only whole volumes are mounted', ['']],
    [`${at}.workingDir`, 'supported', ''],
  ];
}
