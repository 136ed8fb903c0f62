/**
 * One write of a bundle that was read before: only on top of what was read, so that nothing that another person wrote in between is
 * lost. What the hub itself writes into the status all the time is no such change: the write is then made again.
 */
import type { BundleStrategy, ImageEntry } from '../../protocol/documents/bundle.js';
import { canonicalJson } from '../../protocol/canonical.js';
import type { BundleObjectStatus, BundleSpec } from '../objects.js';
import { ARCHIVE_TYPE } from '../signing/archive.js';
import { packBundleFile } from '../signing/bundle-file.js';
import type { BundleSource } from './bundle-source.js';
import { ApiError, type ApiClient, type ApiObject } from './client.js';
import { withChangeCause } from '../rollout/change-cause.js';
import type { RolloutPlan } from '../rollout/waves/plan.js';
import { pathOf, resourceOf } from './resources.js';

export type BundleApiObject = ApiObject & { spec: BundleSpec; status?: BundleObjectStatus };

export interface WriteOptions {
  /** As it was read; null: it was not there. */
  readonly current: BundleApiObject | null;
  readonly selector: string;
  readonly images: readonly ImageEntry[];
  readonly strategy: BundleStrategy;
  /** Null: to all nodes at once. */
  readonly plan: RolloutPlan | null;
  /** Why; empty: none is given. */
  readonly changeCause: string;
  readonly dryRun: boolean;
}

/** Each loses to a status that was written in the same moment. */
const TRIES = 20;

export function bundlePath({ namespace, name }: Pick<BundleSource, 'namespace' | 'name'>): string {
  return pathOf(resourceOf('bundles'), namespace, name);
}

/** Throws `ApiError` (`Conflict`) when somebody else changed it since it was read. */
export async function writeBundle(
  client: Pick<ApiClient, 'call' | 'get'>,
  source: BundleSource,
  options: WriteOptions,
): Promise<BundleApiObject> {
  let { current } = options;
  for (let tries = 1; ; tries++) {
    try {
      return await writeOnce(client, source, { ...options, current });
    } catch (error) {
      const raced = error instanceof ApiError && error.reason === 'Conflict';
      if (!raced || current === null || tries === TRIES) throw error;
      const now = await client.get<BundleApiObject>(bundlePath(source));
      if (now === null || wanted(now) !== wanted(current)) throw error;
      current = now;
    }
  }
}

/** What people write of it. */
function wanted({ metadata }: BundleApiObject): string {
  const { uid, generation, labels = {}, annotations = {} } = metadata;
  return canonicalJson([uid ?? '', generation ?? 0, labels, annotations]);
}

/** What a DaemonSet says wins; what it does not say stays, for others may have said it. */
export function metadataAfter(
  { daemonSet }: Pick<BundleSource, 'daemonSet'>,
  current: Pick<BundleApiObject, 'metadata'> | null,
) {
  const { labels = {}, annotations = {} } = current?.metadata ?? {};
  return {
    labels: { ...labels, ...daemonSet?.labels },
    annotations: { ...annotations, ...daemonSet?.annotations },
  };
}

async function writeOnce(
  client: Pick<ApiClient, 'call'>,
  source: BundleSource,
  { current, selector, images, strategy, plan, changeCause, dryRun }: WriteOptions,
): Promise<BundleApiObject> {
  const query = { dryRun: dryRun ? 'All' : undefined };
  const resourceVersion = current?.metadata.resourceVersion;
  if (source.built) {
    return client.call<BundleApiObject>({
      method: 'POST',
      path: `${bundlePath(source)}/revisions`,
      query: {
        ...query,
        nodeSelector: selector,
        rollout: JSON.stringify(plan),
        ...(changeCause === '' ? {} : { changeCause }),
        resourceVersion,
      },
      bytes: { content: await packBundleFile(source.built), type: ARCHIVE_TYPE },
    });
  }
  const { namespace, name, manifests } = source;
  const { labels, annotations } = metadataAfter(source, current);
  const metadata = {
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    annotations: withChangeCause(annotations, changeCause),
    name,
    namespace,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  const bound = images.length > 0 ? { images } : {};
  const rollout = plan === null ? {} : { rollout: plan };
  const spec: BundleSpec = { nodeSelector: selector, manifests, ...bound, strategy, ...rollout };
  return client.call<BundleApiObject>({
    method: current ? 'PUT' : 'POST',
    path: current ? bundlePath(source) : pathOf(resourceOf('bundles'), namespace),
    query,
    body: { apiVersion: 'flotilla.dev/v1', kind: 'Bundle', metadata, spec },
  });
}
