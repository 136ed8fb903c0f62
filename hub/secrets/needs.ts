/**
 * Which nodes are to have a Secret, which have it, and what stands in a node's assignment of it. Pure: the fleet comes in as values.
 */
import type { AssignedBundle, AssignedSecret } from '../../protocol/documents/assignment.js';
import { keyId } from '../../protocol/keys.js';
import type {
  BundleObject,
  NodeObject,
  SealedSecretObject,
  SecretObject,
  SecretStatus,
} from '../objects.js';
import { matches, parseSelector } from '../selectors.js';
import type { IdentityRecord } from '../store/store.js';

const NODES_LISTED = 100;

/** `<bundle>.<secret>`: a bundle's name has no dot. */
export function secretId(bundle: string, secret: string): string {
  return `${bundle}.${secret}`;
}

/** Members that a selector matches, without those that wait or were revoked; sorted by name. */
export function membersFor(
  selector: string,
  fleet: { readonly nodes: readonly NodeObject[]; readonly identities: readonly IdentityRecord[] },
): IdentityRecord[] {
  const requirements = parseSelector(selector);
  const selected = new Set(
    fleet.nodes
      .filter(({ metadata }) => matches(requirements, metadata.labels))
      .map(({ metadata }) => metadata.name),
  );
  return fleet.identities.filter(({ node, state }) => state === 'active' && selected.has(node));
}

/** The version that a node can read: sealed for the key that it has now, signed by whom the root names; null = none. */
export function readableVersion(
  sealed: SealedSecretObject | undefined,
  { sealingKey }: IdentityRecord,
): number | null {
  if (!sealed || sealed.spec.isVoid === true) return null;
  return sealed.spec.recipient === keyId(sealingKey) ? sealed.spec.version : null;
}

/** By `<namespace>/<bundle>.<secret>.<node>`. */
export type SealedIndex = ReadonlyMap<string, SealedSecretObject>;

export function indexSealed(sealed: readonly SealedSecretObject[]): SealedIndex {
  return new Map(sealed.map(one => [`${one.metadata.namespace}/${one.metadata.name}`, one]));
}

export interface SecretFleet {
  readonly bundles: readonly BundleObject[];
  readonly nodes: readonly NodeObject[];
  readonly identities: readonly IdentityRecord[];
  readonly sealed: SealedIndex;
}

export function statusOfSecret(secret: SecretObject, fleet: SecretFleet): SecretStatus {
  const { namespace, name } = secret.metadata;
  const bundle = fleet.bundles.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === secret.spec.bundle,
  );
  const members = bundle ? membersFor(bundle.spec.nodeSelector, fleet) : [];
  const lacking = members.filter(
    member =>
      readableVersion(fleet.sealed.get(`${namespace}/${name}.${member.node}`), member) !==
      secret.spec.version,
  );
  return {
    sealed: members.length - lacking.length,
    lacking: lacking.length,
    lackingNodes: lacking.slice(0, NODES_LISTED).map(({ node }) => node),
  };
}

/** What is sealed, by node. */
export function sealedByNode(
  sealed: readonly SealedSecretObject[],
): ReadonlyMap<string, readonly SealedSecretObject[]> {
  const byNode = new Map<string, SealedSecretObject[]>();
  for (const one of sealed) {
    const list = byNode.get(one.spec.node) ?? [];
    list.push(one);
    byNode.set(one.spec.node, list);
  }
  return byNode;
}

/** What an assignment of these bundles lists, of one node's. */
export function assignedSecrets(
  sealed: readonly SealedSecretObject[],
  bundles: readonly AssignedBundle[],
): AssignedSecret[] {
  const assigned = new Set(bundles.map(({ namespace, name }) => `${namespace}/${name}`));
  return sealed
    .filter(({ metadata, spec }) => assigned.has(`${metadata.namespace}/${spec.bundle}`))
    .map(({ metadata: { namespace }, spec: { bundle, secret: name, version, digest } }) => {
      return { namespace, bundle, name, version, digest };
    })
    .sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

const sortKey = ({ namespace, bundle, name }: AssignedSecret) => `${namespace}/${bundle}/${name}`;
