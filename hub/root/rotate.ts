/**
 * Keys that lie at the hub, replaced by one command (security.md 1.7). The hub's own: old and new are listed in root N + 1, everything
 * is signed by the new one, N + 2 lists it alone. Root and release keys: one root, signed by old and new; every revision bears
 * the new signature before. Private keys that the last root does not name are removed at the end.
 */
import { keyId, type Signer } from '../../protocol/keys.js';
import { openEnvelope, envelopeOf, packed, seal, sealBytes } from '../../protocol/envelope.js';
import { topicsOf } from '../../protocol/topics.js';
import { envelopeBytesMax } from '../../protocol/verified.js';
import { BUNDLE_BYTES_MAX } from '../../protocol/limits.js';
import { openNextRoot } from '../../protocol/verify-root.js';
import type { EnvelopeSignature } from '../../protocol/documents/envelope.js';
import type { BundleObject } from '../objects.js';
import { RequestError, type Rotation, type RotationRequest } from '../ports.js';
import {
  dropKeys,
  fileNameOf,
  heldKeys,
  keyIdsOf,
  makeHeldKey,
  uselessKeys,
  type HeldKey,
} from '../setup/held-keys.js';
import type { Actor, RevisionRecord } from '../store/store.js';
import { nextRootOf, type RootChanges } from './edit.js';
import { signsRoots } from './root-status.js';
import type { RootParts, Roots } from './roots.js';
import { rotateTls } from './rotate-tls.js';

const ROOT_YEARS = 3;
/** Revisions in one transaction. */
const BATCH = 50;

export interface RotateParts extends RootParts {
  readonly roots: Pick<Roots, 'take' | 'exclusively'>;
}

/** Throws `RequestError`. After a crash the same command finishes what was begun. */
export async function rotateKey(
  parts: RotateParts,
  actor: Actor,
  request: RotationRequest,
): Promise<Rotation> {
  const { role, prepare } = request;
  const { live, roots } = parts;
  const { dataDir } = live.now();
  if (role === 'tls') {
    const inTurn = { ...parts, step: (...args: Step) => step(parts, ...args) };
    return roots.exclusively(() => rotateTls(inTurn, actor, request));
  }
  if (prepare) {
    const made = preparedKey(parts, role);
    return { key: keyOf(made), roots: [], dropped: [], tls: null };
  }
  return roots.exclusively(async () => {
    const root = live.root().document;
    if (!signsRoots(root, heldKeys(dataDir))) {
      const why = 'the root keys are not at this hub: the next root is signed where they are';
      throw new RequestError('Forbidden', `${role} keys cannot be rotated here: ${why}`);
    }
    const rotation = await ROTATIONS[role](parts, actor);
    const held = heldKeys(dataDir);
    const useless = uselessKeys(held, live.root().document);
    dropKeys(useless);
    return { ...rotation, dropped: useless.map(fileNameOf), tls: null };
  });
}

function keyOf({ id, signer }: HeldKey): NonNullable<Rotation['key']> {
  return { id, publicKey: signer.publicKey };
}

/** A key that a former try made is used again: nobody has trusted it, and it need not lie about. */
function preparedKey({ live }: RotateParts, role: HeldKey['role']): HeldKey {
  const { dataDir } = live.now();
  const waiting = uselessKeys(heldKeys(dataDir), live.root().document);
  const former = new Set(keyIdsOf(live.root().document, role));
  const found = waiting.find(key => key.role === role && !former.has(key.id) && isNew(key));
  return found ?? makeHeldKey(dataDir, role);
}

/** Made by a rotation, not by `hub init`: the name says so. */
function isNew({ path, id, role }: HeldKey): boolean {
  return path.endsWith(`${role}-${id.slice(0, 16)}.key`);
}

type Rotated = Omit<Rotation, 'dropped' | 'tls'>;
type Step = [Actor, Omit<RootChanges, 'issued' | 'expires'>];

const ROTATIONS: Readonly<
  Record<HeldKey['role'], (parts: RotateParts, actor: Actor) => Promise<Rotated>>
> = {
  hub: async (parts, actor) => {
    const { live } = parts;
    const listed = live.root().document.roles.hub.keys;
    const versions: number[] = [];
    let key: HeldKey | null = null;
    // Two listed: a rotation was cut off after its first root.
    if (listed.length === 1) {
      key = makeHeldKey(live.now().dataDir, 'hub');
      versions.push(await step(parts, actor, { addHubKeys: [key.signer.publicKey] }));
    }
    const current = keyId(live.now().hubSigner.publicKey);
    const removeKeys = live.root().document.roles.hub.keys.filter(id => id !== current);
    versions.push(await step(parts, actor, { removeKeys }));
    return { key: key && keyOf(key), roots: versions };
  },
  root: async (parts, actor) => {
    const { live } = parts;
    const { dataDir } = live.now();
    const former = live.root().document;
    const old = heldKeys(dataDir).find(({ id }) => former.roles.root.keys.includes(id));
    const key = makeHeldKey(dataDir, 'root');
    const replaceKeys = [{ old: old?.id ?? '', by: key.signer.publicKey }];
    const version = await step(parts, actor, { replaceKeys, development: true }, [key.signer]);
    return { key: keyOf(key), roots: [version] };
  },
  release: async (parts, actor) => {
    const { live } = parts;
    const { dataDir, releaseSigner } = live.now();
    if (!releaseSigner) {
      throw new RequestError('Forbidden', 'the release keys are not at this hub');
    }
    const key = makeHeldKey(dataDir, 'release');
    await signAllAnew(parts, actor, { old: releaseSigner, by: key.signer });
    const replaceKeys = [{ old: keyId(releaseSigner.publicKey), by: key.signer.publicKey }];
    return { key: keyOf(key), roots: [await step(parts, actor, { replaceKeys })] };
  },
};

/** Its version. */
async function step(
  { live, roots, clock }: RotateParts,
  actor: Actor,
  changes: Omit<RootChanges, 'issued' | 'expires'>,
  further: readonly Signer[] = [],
): Promise<number> {
  const former = live.root();
  const now = Math.max(clock.now(), Date.parse(former.document.issued) + 1);
  const expires = new Date(now);
  expires.setUTCFullYear(expires.getUTCFullYear() + ROOT_YEARS);
  const document = nextRootOf(former.document, {
    ...changes,
    issued: new Date(now).toISOString(),
    expires: expires.toISOString(),
  });
  const own = heldKeys(live.now().dataDir)
    .filter(({ role, id }) => role === 'root' && former.document.roles.root.keys.includes(id))
    .map(({ signer }) => signer);
  const next = openNextRoot(seal('root', document, [...own, ...further]), former);
  if (!next.ok) {
    throw new RequestError('Conflict', `${next.refusal.code}: ${next.refusal.detail}`);
  }
  await roots.take(actor, live.under(next.value));
  return document.version;
}

/** Revisions that the old key signed bear the new signature beside its own, so that they are good before and after. */
async function signAllAnew(
  { store, live }: RotateParts,
  actor: Actor,
  { old, by }: { old: Signer; by: Signer },
): Promise<void> {
  const topics = topicsOf(live.root().document.fleet);
  const { items } = await store.list('Bundle');
  for (const { metadata } of items as readonly BundleObject[]) {
    const records = await store.revisions(metadata.namespace, metadata.name);
    const signed = records.flatMap(record => {
      const envelope = signedToo(record, { old, by });
      return envelope ? [{ ...record, envelope }] : [];
    });
    for (let i = 0; i < signed.length; i += BATCH) {
      const mutations = await Promise.all(
        signed.slice(i, i + BATCH).map(async record => {
          const { digest, envelope } = record;
          const topic = topics.blob(digest);
          const isPublished = ((await store.publication(topic))?.payload ?? null) !== null;
          return [
            { type: 'revision' as const, record },
            ...(isPublished
              ? [{ type: 'publish' as const, topic, payload: packed('bundle', envelope) }]
              : []),
          ];
        }),
      );
      await store.commit(actor, mutations.flat());
    }
  }
}

/** Null where the old key has no part in it. */
function signedToo(record: RevisionRecord, { old, by }: { old: Signer; by: Signer }) {
  const bytesMax = envelopeBytesMax(BUNDLE_BYTES_MAX);
  const opened = openEnvelope(record.envelope, { kind: 'bundle', bytesMax });
  if (!opened.ok) throw new Error(`revision ${record.digest}: ${opened.refusal.detail}`);
  const { payload, signatures } = opened.value;
  if (!signatures.some(({ keyid }) => keyid === keyId(old.publicKey))) return null;
  const added = openEnvelope(sealBytes('bundle', payload, [by]), { kind: 'bundle', bytesMax });
  if (!added.ok) throw new Error(added.refusal.detail);
  const all = [...signatures, ...added.value.signatures].map(
    ({ keyid, sig }): EnvelopeSignature => ({ keyid, sig: sig.toString('base64') }),
  );
  return envelopeOf('bundle', payload, all);
}
