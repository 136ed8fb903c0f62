/**
 * Takes what operators sealed: checks for whom and by whom, signs it where the fleet's root leaves that to the hub, and writes all
 * of a request in one transaction. Never sees a value. Implements `SecretWriter`.
 */
import { AGE_BYTES_MAX } from '../../protocol/age.js';
import type { SecretDocument } from '../../protocol/documents/secret.js';
import { packed, seal } from '../../protocol/envelope.js';
import { keyId, type Signer } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openSecretDocument } from '../../protocol/verify-secret.js';
import type {
  BundleObject,
  NodeObject,
  SealedSecretObject,
  SealedSecretSpec,
  SecretObject,
  SecretSpec,
  SecretStatus,
  SecretVersionObject,
} from '../objects.js';
import { RequestError, type SealedItem, type SealRequest, type SecretWriter } from '../ports.js';
import { retried } from '../store/retry.js';
import type { Actor, IdentityRecord, Mutation, Store } from '../store/store.js';
import { readableBy, replaced } from './readable.js';
import { withoutSecrets } from './removal.js';
import { supersededBy, traceMutations, type Traced } from './traces.js';
import { unsealedSecrets } from './unsealed.js';
import { indexSealed, membersFor, readableVersion, secretId } from './needs.js';
import { knownVersion, versionMutation, versionsAbove } from './versions.js';

export interface SecretWriterParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly hubSigner: Signer;
}

const NOT_COUNTED: SecretStatus = { sealed: 0, lacking: 0, lackingNodes: [] };

export function secretWriter(parts: SecretWriterParts): SecretWriter {
  return {
    sealing: of => sealing(parts, of),
    readableBy: node => readableBy(parts.store, node),
    replaced: (actor, of) => retried(() => replaced(parts.store, actor, of)),
    unsealed: namespace => unsealedSecrets(parts.store, namespace),
    seal: (actor, request) => retried(() => sealAll(parts, actor, request)),
    remove: (actor, of) => retried(() => remove(parts, actor, of)),
  };
}

async function sealing(
  { store, root }: SecretWriterParts,
  of: Parameters<SecretWriter['sealing']>[0],
): ReturnType<SecretWriter['sealing']> {
  const { namespace, bundle } = of;
  const found = (await store.get('Bundle', namespace, bundle)) as BundleObject | null;
  const selector = of.nodeSelector ?? found?.spec.nodeSelector;
  if (selector === undefined) {
    throw new RequestError('NotFound', `bundles.flotilla.dev "${bundle}" not found`);
  }
  const [nodes, identities, secrets, versions, all, above] = await Promise.all([
    store.list('Node'),
    store.identities(),
    store.list('Secret', { namespace }),
    store.list('SecretVersion', { namespace }),
    store.list('SealedSecret', { namespace }),
    versionsAbove(store),
  ]);
  const own = (secrets.items as readonly SecretObject[]).filter(one => one.spec.bundle === bundle);
  const sealed = indexSealed(all.items as readonly SealedSecretObject[]);
  const members = membersFor(selector, { nodes: nodes.items as readonly NodeObject[], identities });
  const prefix = secretId(bundle, '');
  const { fleet, roles } = root().document;
  return {
    fleet,
    secretKeys: roles.secrets?.keys ?? null,
    secrets: own.map(({ spec }) => spec),
    versions: Object.fromEntries(
      (versions.items as readonly SecretVersionObject[])
        .filter(({ metadata }) => metadata.name.startsWith(prefix))
        .map(({ metadata, spec }) => [metadata.name.slice(prefix.length), spec.version]),
    ),
    versionsAbove: above,
    nodes: members.map(member => {
      const { node, identityKey, sealingKey } = member;
      const has = own.flatMap(({ spec, metadata }) => {
        const one = sealed.get(`${namespace}/${metadata.name}.${node}`);
        const version = readableVersion(one, member);
        return version === null ? [] : [[spec.secret, version] as const];
      });
      return { node, identityKey, sealingKey, has: Object.fromEntries(has) };
    }),
  };
}

async function sealAll(
  parts: SecretWriterParts,
  actor: Actor,
  request: SealRequest,
): ReturnType<SecretWriter['seal']> {
  const { store, root } = parts;
  const { namespace } = request;
  const name = secretId(request.bundle, request.secret);
  const current = (await store.get('Secret', namespace, name)) as SecretObject | null;
  const last = (await knownVersion(store, namespace, name)) || (await versionsAbove(store));
  const isNew = checkVersion(request, current, last);
  const identities = new Map((await store.identities()).map(one => [one.node, one]));
  const mutations: Mutation[] = [];
  const superseded: Traced[] = [];
  if (isNew) mutations.push(...newVersion(request, current, name));
  const topics = topicsOf(root().document.fleet);
  for (const item of request.sealed) {
    const { document, envelope, digest } = documentOf(parts, request, item);
    const { joinedAt: device } = recipientOf(document, identities.get(document.node));
    const { bundle, name: secret, node, version, recipient } = document;
    const spec: SealedSecretSpec = { bundle, secret, node, version, recipient, digest, device };
    const metadata = { namespace, name: `${name}.${node}` };
    const found = await store.get('SealedSecret', namespace, metadata.name);
    const former = found as SealedSecretObject | null;
    superseded.push(...supersededBy(former, { version, device }));
    if (former !== null && former.spec.digest !== digest) {
      mutations.push({ type: 'publish', topic: topics.blob(former.spec.digest), payload: null });
    }
    mutations.push(
      {
        type: 'put',
        object: { kind: 'SealedSecret', metadata, spec, status: null },
        expect: 'any',
      },
      { type: 'publish', topic: topics.blob(digest), payload: packed('secret', envelope) },
    );
  }
  await store.commit(actor, [...mutations, ...(await traceMutations(store, superseded))]);
  return { version: request.version, nodes: request.sealed.length };
}

/** Whether it makes a new version. Throws Conflict, Invalid. */
function checkVersion(
  { secret, version, bundle, fingerprint }: SealRequest,
  current: SecretObject | null,
  last: number,
): boolean {
  if (current !== null && version === current.spec.version && version === last) {
    // More nodes get the same values; two operators may have made one number of different ones.
    const before = current.spec.fingerprint;
    if (before === null || before === fingerprint) return false;
    throw new RequestError(
      'Conflict',
      `secret "${secret}" of bundle "${bundle}": version ${version} was sealed meanwhile with other values; try again`,
    );
  }
  if (version !== last + 1) {
    throw new RequestError(
      'Conflict',
      `secret "${secret}" of bundle "${bundle}" is at version ${last}, not below ${version}; it was sealed meanwhile: try again`,
    );
  }
  if (current?.spec.immutable === true) {
    throw new RequestError(
      'Invalid',
      `secret "${secret}" of bundle "${bundle}" is immutable; delete it first: flotilla secret delete ${secret} --bundle ${bundle}`,
    );
  }
  return true;
}

function newVersion(request: SealRequest, current: SecretObject | null, name: string): Mutation[] {
  const { namespace, bundle, secret, type, version, immutable, fingerprint } = request;
  const keys = [...request.keys].sort();
  const spec: SecretSpec = { bundle, secret, type, version, immutable, keys, fingerprint };
  const metadata = { namespace, name };
  const expect =
    current === null ? 'absent' : { resourceVersion: current.metadata.resourceVersion };
  const status = current?.status ?? NOT_COUNTED;
  return [
    { type: 'put', object: { kind: 'Secret', metadata, spec, status }, expect },
    versionMutation(namespace, name, version),
  ];
}

/** The signed document of one node. Throws Invalid. */
function documentOf(
  { root, hubSigner }: SecretWriterParts,
  request: SealRequest,
  item: SealedItem,
): { document: SecretDocument; envelope: Uint8Array; digest: string } {
  const trusted = root();
  const { namespace, bundle, secret, version } = request;
  const isOperators = trusted.document.roles.secrets !== null;
  const fail = (detail: string) =>
    new RequestError('Invalid', `secret "${secret}" of bundle "${bundle}": ${detail}`);
  if (isOperators !== 'envelope' in item) {
    throw fail(
      isOperators
        ? "the fleet's root keeps the key that signs secrets off the hub: sign with it (--key)"
        : "the hub signs it: the fleet's root has no role for secrets",
    );
  }
  const envelope =
    'envelope' in item
      ? Buffer.from(item.envelope)
      : seal(
          'secret',
          {
            ...{ fleet: trusted.document.fleet, node: item.node, namespace, bundle },
            ...{ name: secret, version, recipient: item.recipient, sealed: item.sealed },
          },
          [hubSigner],
        );
  const opened = openSecretDocument(envelope, trusted);
  if (!opened.ok) throw fail(`${opened.refusal.detail} (${opened.refusal.code})`);
  const { document, digest } = opened.value;
  const isRequested =
    document.namespace === namespace &&
    document.bundle === bundle &&
    document.name === secret &&
    document.version === version;
  if (!isRequested) throw fail('what was signed names another secret or version');
  const file = Buffer.from(document.sealed, 'base64');
  if (file.toString('base64') !== document.sealed || file.byteLength > AGE_BYTES_MAX) {
    throw fail(`node ${document.node}: not an age file of at most ${AGE_BYTES_MAX} bytes`);
  }
  return { document, envelope, digest };
}

function recipientOf(
  document: SecretDocument,
  identity: IdentityRecord | undefined,
): IdentityRecord {
  if (identity?.state !== 'active') {
    throw new RequestError('Invalid', `node "${document.node}" is no member of the fleet`);
  }
  if (keyId(identity.sealingKey) === document.recipient) return identity;
  throw new RequestError(
    'Conflict',
    `node "${document.node}" has another sealing key by now; try again`,
  );
}

async function remove(
  { store, root }: SecretWriterParts,
  actor: Actor,
  { namespace, name, dryRun }: Parameters<SecretWriter['remove']>[1],
): Promise<void> {
  const found = await store.get('Secret', namespace, name);
  if (!found) throw new RequestError('NotFound', `secrets.flotilla.dev "${name}" not found`);
  if (dryRun) return;
  const { bundle, secret } = found.spec as SecretSpec;
  await store.commit(
    actor,
    await withoutSecrets(store, { fleet: root().document.fleet, namespace, bundle, secret }),
  );
}
