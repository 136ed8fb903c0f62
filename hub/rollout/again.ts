/**
 * What was once a revision becomes the next one: an earlier revision's pods, ConfigMaps and images (undo), or the newest with its pods
 * begun anew (restart). Each goes the way of an apply: the bundle's nodes, strategy and plan as they are now, the release keys of the root.
 */
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import type { Clock } from '../../protocol/ports.js';
import { RESTARTED_AT } from '../../protocol/pod-identity.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BundleObject, BundleSpec } from '../objects.js';
import { RequestError, type BundleWriter } from '../ports.js';
import type { Actor, RevisionRecord, Store } from '../store/store.js';
import { CHANGE_CAUSE_MAX, withChangeCause } from './change-cause.js';
import { revisionEntries, type RevisionEntry } from './read-history.js';
import { sameImages, sameManifests } from './revise.js';
import { blobsOf, bundleDocumentOf, declaredIn, manifestsOf } from './revision-document.js';
import { isHeld } from './rollout.js';
import { restartRefusal, undoChoice, type Choosable } from './undo-choice.js';
import type { RolloutObject } from './waves/rollout-object.js';

export interface AgainWish {
  readonly namespace: string;
  readonly name: string;
  /** Why; may be empty. */
  readonly reason: string;
  /** The newest revision as that person saw it; another one is not undone unseen. Null: not said. */
  readonly seen: number | null;
  /** Everything is checked, nothing is written. */
  readonly dryRun: boolean;
}

export interface UndoWish extends AgainWish {
  /** Null: the last one that went well. */
  readonly toRevision: number | null;
}

export interface MadeAgain {
  /** With the revision that was made, or would be. */
  readonly object: BundleObject;
  /** The newest until now. */
  readonly from: number;
  /** Whose content it is. */
  readonly to: number;
}

/**
 * One transaction each, as an apply. Throws `RequestError`: NotFound, Conflict for what cannot be made anew or would change nothing,
 * Expired for content that is no longer kept, and whatever an apply is refused for.
 */
export interface RevisionAgain {
  undo(actor: Actor, wish: UndoWish): Promise<MadeAgain>;
  restart(actor: Actor, wish: AgainWish): Promise<MadeAgain>;
}

export interface AgainParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly clock: Clock;
  readonly bundles: BundleWriter;
}

export function revisionAgain(parts: AgainParts): RevisionAgain {
  return {
    undo: (actor, wish) =>
      repeated(parts, actor, { wish, change: read => undone(parts, wish, read) }),
    restart: (actor, wish) =>
      repeated(parts, actor, { wish, change: read => restarted(parts, wish, read) }),
  };
}

interface Read {
  readonly bundle: BundleObject;
  /** Ascending. */
  readonly entries: readonly RevisionEntry[];
  readonly newest: RevisionEntry;
  /** `bundle/web -n default`. */
  readonly what: string;
}

interface Changed {
  readonly to: number;
  readonly cause: string;
  readonly content: Pick<BundleSpec, 'manifests' | 'images'>;
}

/** The hub's own counts are written into the Bundle all the time. */
const TRIES = 20;

async function repeated(
  parts: AgainParts,
  actor: Actor,
  of: { readonly wish: AgainWish; readonly change: (read: Read) => Promise<Changed> },
): Promise<MadeAgain> {
  let { seen } = of.wish;
  for (let tries = 1; ; tries++) {
    const read = await readAll(parts, of.wish);
    const from = read.newest.record.revision;
    if (seen !== null && seen !== from) {
      const message = `bundle "${of.wish.name}": revision ${from} is the newest now, not ${seen}; look at it first`;
      throw new RequestError('Conflict', message);
    }
    seen = from;
    const { to, cause, content } = await of.change(read);
    const { metadata, spec } = read.bundle;
    const { images: _former, ...kept } = spec;
    const { namespace, name, dryRun } = of.wish;
    const annotations = withChangeCause(metadata.annotations, cause.slice(0, CHANGE_CAUSE_MAX));
    try {
      const { object } = await parts.bundles.apply(actor, {
        ...{ namespace, name, labels: metadata.labels, annotations, dryRun },
        spec: { ...kept, ...content },
        expect: { resourceVersion: metadata.resourceVersion },
      });
      return { object, from, to };
    } catch (error) {
      const isRace = error instanceof RequestError && error.reason === 'Conflict';
      if (!isRace || tries === TRIES) throw error;
    }
  }
}

async function readAll(parts: AgainParts, { namespace, name }: AgainWish): Promise<Read> {
  const bundle = (await parts.store.get('Bundle', namespace, name)) as BundleObject | null;
  const entries = await revisionEntries(parts, { namespace, name });
  const newest = entries.find(({ isNewest }) => isNewest);
  if (!bundle || !newest) {
    throw new RequestError('NotFound', `bundles.flotilla.dev "${name}" not found`);
  }
  if (isHeld(bundle)) {
    throw conflict(name, 'it is held since the hub was restored; apply it again: flotilla apply');
  }
  return { bundle, entries, newest, what: `bundle/${name} -n ${namespace}` };
}

function choosable({ record, isNewest, history, withdrawal }: RevisionEntry): Choosable {
  return { revision: record.revision, isNewest, outcome: history.outcome, withdrawal };
}

async function undone({ store }: AgainParts, wish: UndoWish, read: Read): Promise<Changed> {
  const { namespace, name, toRevision, reason } = wish;
  const { bundle, entries, newest, what } = read;
  const rollout = (await store.get('Rollout', namespace, name)) as RolloutObject | null;
  const isOfNewest = rollout?.spec.to.digest === bundle.status.digest;
  const choice = undoChoice({
    ...{ what, revisions: entries.map(choosable), asked: toRevision },
    base: isOfNewest ? (rollout.spec.base?.revision ?? null) : null,
  });
  if (!choice.ok && choice.isMissing) {
    throw new RequestError('NotFound', `bundle "${name}": ${choice.refusal}`);
  }
  if (!choice.ok) throw conflict(name, choice.refusal);
  const target = entries.find(({ record }) => record.revision === choice.revision);
  if (!target) throw new Error(`revision ${choice.revision} was chosen and is not there`);
  const content = await contentOf(store, target.record);
  const { manifests, images } = bundle.spec;
  if (sameManifests(content.manifests, manifests) && sameImages(content.images, images)) {
    const [to, now] = [choice.revision, newest.record.revision];
    throw conflict(
      name,
      `revision ${now}, the newest, has the pods and images of revision ${to} already`,
    );
  }
  const { changeCause } = target.history;
  const former = changeCause === '' ? '' : `: ${changeCause}`;
  const cause = reason === '' ? `undo to revision ${choice.revision}${former}` : reason;
  return { to: choice.revision, cause, content };
}

async function restarted({ clock }: AgainParts, wish: AgainWish, read: Read): Promise<Changed> {
  const { bundle, newest, what } = read;
  const refusal = restartRefusal({ what, newest: choosable(newest) });
  if (refusal !== null) throw conflict(wish.name, refusal);
  const at = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
  const manifests = bundle.spec.manifests.map(manifest => begunAnew(manifest, at));
  if (!manifests.some(isPod)) throw conflict(wish.name, 'it has no pods');
  if (sameManifests(manifests, bundle.spec.manifests)) {
    throw conflict(wish.name, 'it was restarted within this second; try again');
  }
  const { images } = bundle.spec;
  return {
    to: newest.record.revision,
    cause: wish.reason === '' ? 'restart' : wish.reason,
    content: { manifests, ...(images === undefined ? {} : { images }) },
  };
}

/** As `kubectl rollout restart` does. */
function begunAnew(manifest: BundleManifest, at: string): BundleManifest {
  if (!isPod(manifest)) return manifest;
  const { metadata } = manifest;
  const annotations = { ...metadata.annotations, [RESTARTED_AT]: at };
  return { ...manifest, metadata: { ...metadata, annotations } };
}

async function contentOf(store: Store, record: RevisionRecord): Promise<Changed['content']> {
  const { namespace, bundle: name, revision, digest } = record;
  for (const blob of blobsOf(record)) {
    if (blob === digest || (await store.blob(blob))) continue;
    const message = `the content of revision ${revision} of bundle "${name}" is no longer kept; apply its manifests`;
    throw new RequestError('Expired', message);
  }
  const manifests = (await manifestsOf(store, { namespace, name, revision })) ?? [];
  const { images } = declaredIn(bundleDocumentOf(record));
  return { manifests, ...(images === undefined ? {} : { images }) };
}

function conflict(name: string, why: string): RequestError {
  return new RequestError('Conflict', `bundle "${name}": ${why}`);
}
