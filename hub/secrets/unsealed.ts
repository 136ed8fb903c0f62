/** Secrets that pods of bundles want and that nobody ever sealed, or somebody deleted: no Secret tells of them. */
import { isPod } from '../../protocol/bundle-manifest.js';
import { secretUses } from '../../protocol/pod-secrets.js';
import type {
  BundleObject,
  NodeObject,
  SecretObject,
  SecretTraceObject,
  SecretVersionObject,
} from '../objects.js';
import type { UnsealedSecret } from '../ports.js';
import type { IdentityRecord, Store } from '../store/store.js';
import { membersFor, secretId } from './needs.js';

interface Fleet {
  readonly nodes: readonly NodeObject[];
  readonly identities: readonly IdentityRecord[];
  readonly secrets: readonly SecretObject[];
  readonly versions: readonly SecretVersionObject[];
  readonly traces: readonly SecretTraceObject[];
}

/** Of one bundle, by name. Pure. */
export function unsealedOf(
  { metadata: { namespace, name: bundle }, spec, status }: BundleObject,
  fleet: Fleet,
): UnsealedSecret[] {
  const isCalled = (secret: string) => (one: SecretObject | SecretVersionObject) =>
    one.metadata.namespace === namespace && one.metadata.name === secretId(bundle, secret);
  const fields = new Map<string, string>();
  for (const pod of spec.manifests.filter(isPod)) {
    for (const { secret, path, optional } of secretUses(pod)) {
      if (optional || fields.has(secret) || fleet.secrets.some(isCalled(secret))) continue;
      fields.set(secret, `pod ${pod.metadata.name}: ${path}`);
    }
  }
  if (fields.size === 0) return [];
  const byName = new Map(fleet.nodes.map(node => [node.metadata.name, node]));
  const members = membersFor(spec.nodeSelector, fleet);
  const runsIt = ({ node }: IdentityRecord) =>
    (byName.get(node)?.status.flotilla.bundles ?? []).some(
      one => one.namespace === namespace && one.name === bundle && one.active === status.digest,
    );
  return [...fields].flatMap(([secret, field]): UnsealedSecret[] => {
    const had = new Set(
      fleet.traces
        .filter(one => one.metadata.namespace === namespace)
        .filter(one => one.spec.bundle === bundle && one.spec.secret === secret)
        .map(one => one.spec.node),
    );
    // A node that runs the newest revision and was never sealed it has its own, in its static pod directory.
    const lacking = members.filter(member => !runsIt(member) || had.has(member.node));
    if (lacking.length === 0) return [];
    const isDeleted = fleet.versions.some(isCalled(secret));
    const nodes = lacking.map(({ node }) => node);
    return [{ namespace, bundle, secret, field, isDeleted, nodes }];
  });
}

export async function unsealedSecrets(
  store: Store,
  namespace: string | null,
): Promise<UnsealedSecret[]> {
  const where = namespace === null ? {} : { namespace };
  const [bundles, nodes, identities, secrets, versions, traces] = await Promise.all([
    store.list('Bundle', where),
    store.list('Node'),
    store.identities(),
    store.list('Secret', where),
    store.list('SecretVersion', where),
    store.list('SecretTrace', where),
  ]);
  const fleet: Fleet = {
    identities,
    nodes: nodes.items as readonly NodeObject[],
    secrets: secrets.items as readonly SecretObject[],
    versions: versions.items as readonly SecretVersionObject[],
    traces: traces.items as readonly SecretTraceObject[],
  };
  return (bundles.items as readonly BundleObject[])
    .flatMap(one => unsealedOf(one, fleet))
    .sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

const sortKey = ({ namespace, bundle, secret }: UnsealedSecret) =>
  `${namespace}/${secretId(bundle, secret)}`;
