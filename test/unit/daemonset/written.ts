/** DaemonSets as people write them: a valid one, and what stands in the place of its fields. */
import { bundleOfDaemonSet, type DaemonSetBundle } from '../../../hub/daemonset/daemonset.js';

export type Fields = Readonly<Record<string, unknown>>;

export const CONTAINERS = [{ name: 'app', image: 'web:1' }];
export const LABELS = { app: 'web' };

/** A valid one, with these in the place of its fields. */
export function daemonSet(given: {
  spec?: Fields;
  metadata?: Fields;
  pod?: Fields;
  podMetadata?: Fields;
  more?: Fields;
}): Fields {
  const { spec, metadata, pod, podMetadata, more } = given;
  const template = {
    metadata: { labels: LABELS, ...podMetadata },
    spec: { containers: CONTAINERS, ...pod },
  };
  return {
    ...{ apiVersion: 'apps/v1', kind: 'DaemonSet' },
    metadata: { name: 'web', ...metadata },
    spec: { selector: { matchLabels: LABELS }, template, ...spec },
    ...more,
  };
}

export function accepted(given: Parameters<typeof daemonSet>[0]): DaemonSetBundle {
  const result = bundleOfDaemonSet(daemonSet(given));
  if (result.ok) return result.bundle;
  throw new Error(result.errors.map(({ message }) => message).join('\n'));
}

export const rolling = (rollingUpdate: Fields): { spec: Fields } => ({
  spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate } },
});
export const affinity = (...nodeSelectorTerms: Fields[]): { pod: Fields } => ({
  pod: {
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
    },
  },
});
export const expressions = (...matchExpressions: Fields[]) => affinity({ matchExpressions });
export const where = (key: string, operator: string, ...values: string[]) => ({
  ...{ key, operator },
  ...(values.length > 0 ? { values } : {}),
});
