/** What people may change of a Node: its labels, its annotations, and whether it is given anything new. The rest its device says. Pure. */
import { excerpt } from '../../protocol/excerpt.js';
import type { NodeObject } from '../objects.js';
import { isLabelKey } from '../selectors.js';
import { KEY_ANNOTATION, RESERVED_LABELS, TOKEN_ANNOTATION } from './node-object.js';

export interface NodeWish {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Cordoned (hub/rollout/cordon.ts). */
  readonly unschedulable: boolean;
}

/** Keys and values of both together, in characters: as Kubernetes limits annotations. */
export const NODE_WORDS_MAX = 256 * 1024;
const OWN_ANNOTATIONS: ReadonlySet<string> = new Set([KEY_ANNOTATION, TOKEN_ANNOTATION]);

export function wishOf({ metadata, spec }: Pick<NodeObject, 'metadata' | 'spec'>): NodeWish {
  const { labels, annotations } = metadata;
  return { labels, annotations, unschedulable: spec.unschedulable === true };
}

export interface WishFault {
  readonly field: string;
  readonly message: string;
}

/** What keeps the wish from being granted; the grammar of labels is the reader's. Empty: nothing. */
export function wishFaults(before: NodeWish, after: NodeWish): WishFault[] {
  const reserved = changedKeys(before.labels, after.labels).filter(key => RESERVED_LABELS.has(key));
  const own = changedKeys(before.annotations, after.annotations);
  const size = [after.labels, after.annotations]
    .flatMap(map => Object.entries(map))
    .reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return [
    ...reserved.map(key => ({
      field: `metadata.labels[${key}]`,
      message: 'says what the node is by itself, and cannot be changed',
    })),
    ...own.flatMap(key => {
      const field = `metadata.annotations[${excerpt(key)}]`;
      if (OWN_ANNOTATIONS.has(key))
        return { field, message: 'is kept by the hub, and cannot be changed' };
      return isLabelKey(key) ? [] : { field, message: 'is no annotation key' };
    }),
    ...(size > NODE_WORDS_MAX
      ? [
          {
            field: 'metadata',
            message: `labels and annotations have ${size} characters together, ${NODE_WORDS_MAX} are possible`,
          },
        ]
      : []),
  ];
}

/** For the audit log: `labels: site=south -tier; annotations: note; cordoned`. Empty: nothing changes. */
export function wishText(before: NodeWish, after: NodeWish): string {
  const labels = changedKeys(before.labels, after.labels).map(key =>
    after.labels[key] === undefined ? `-${key}` : `${key}=${after.labels[key]}`,
  );
  const annotations = changedKeys(before.annotations, after.annotations).map(key =>
    after.annotations[key] === undefined ? `-${key}` : key,
  );
  return [
    ...(labels.length === 0 ? [] : [`labels: ${labels.join(' ')}`]),
    ...(annotations.length === 0 ? [] : [`annotations: ${annotations.join(' ')}`]),
    ...(before.unschedulable === after.unschedulable
      ? []
      : [after.unschedulable ? 'cordoned' : 'uncordoned']),
  ].join('; ');
}

type Words = Readonly<Record<string, string>>;

function changedKeys(before: Words, after: Words): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter(key => before[key] !== after[key]).sort();
}
