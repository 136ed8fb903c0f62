/** The way of an apply: check everything, make the revision, one transaction. Implements `BundleWriter`. */
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import { canonicalJson } from '../../protocol/canonical.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import { LABEL_PATTERN } from '../../protocol/names.js';
import type { Clock } from '../../protocol/ports.js';
import type { Signer } from '../../protocol/keys.js';
import type { ValidPod } from '../../protocol/pod.js';
import { DEFAULT_STRATEGY, sameStrategy } from '../../protocol/strategy.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BundleObject, BundleObjectStatus, BundleSpec } from '../objects.js';
import { RequestError, type ApplyRequest, type BundleWriter } from '../ports.js';
import { HELD_ANNOTATION } from '../recovery/held-annotation.js';
import { withoutSecrets } from '../secrets/removal.js';
import { checkManifests, imageCauses, type Cause } from './check-manifests.js';
import { BundleTooLarge, revise, sameImages, sameManifests, type Revised } from './revise.js';
import { parseSelector, SelectorError } from '../selectors.js';
import {
  StoreError,
  type Actor,
  type Mutation,
  type RevisionRecord,
  type Store,
} from '../store/store.js';
import {
  annotationsAfter,
  CHANGE_CAUSE,
  changeCauseFault,
  changeCauseOf,
  revisionText,
} from './change-cause.js';
import { released, rolloutsEnd, rolloutWrites } from './begin-rollout.js';
import { refuseConflicts } from './conflict-check.js';
import { madeRevision, refuseReach } from './reach-check.js';
import { plainPlan, samePlan, type RolloutPlan } from './waves/plan.js';
import { beyondScope, signerFor, signsHere } from './release-here.js';
import { rollbackFloorOf } from './revision-document.js';
import { signedRevision } from './signed-revision.js';
import { standingOf, withdrawalOf } from './withdrawn.js';

export interface ApplyParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  /** Null where the fleet keeps its release keys off the hub. */
  readonly releaseSigner: Signer | null;
  readonly clock: Clock;
}

/** The roll-up of statuses writes the same objects. */
const TRIES = 10;

export function bundleWriter(parts: ApplyParts): BundleWriter {
  return {
    apply: async (actor, request) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await apply(parts, actor, request);
        } catch (error) {
          const raced =
            error instanceof RequestError && ['Conflict', 'AlreadyExists'].includes(error.reason);
          // Who names a version builds on it; who does not wants the change on whatever is there.
          if (!raced || request.expect !== 'any' || attempt === TRIES) throw error;
        }
      }
    },
    remove: async (actor, { namespace, name, dryRun }) => {
      const found = await parts.store.get('Bundle', namespace, name);
      if (!found) throw new RequestError('NotFound', `bundles.flotilla.dev "${name}" not found`);
      if (!dryRun) {
        const { fleet } = parts.root().document;
        const secrets = await withoutSecrets(parts.store, { fleet, namespace, bundle: name });
        const bundle: Mutation = { type: 'delete', kind: 'Bundle', namespace, name };
        const at = { actor, now: parts.clock.now() };
        const rollout = await rolloutsEnd(parts.store, found as BundleObject, at);
        await commit(parts, actor, [bundle, ...rollout, ...secrets]);
      }
      return found as BundleObject;
    },
  };
}

async function apply(
  parts: ApplyParts,
  actor: Actor,
  request: ApplyRequest,
): ReturnType<BundleWriter['apply']> {
  const manifests = checked(parts, request);
  const { namespace, name } = request;
  const current = (await parts.store.get('Bundle', namespace, name)) as BundleObject | null;
  if (current && request.expect === 'absent') {
    throw new RequestError('AlreadyExists', `bundles.flotilla.dev "${name}" already exists`);
  }
  if (
    typeof request.expect === 'object' &&
    current?.metadata.resourceVersion !== request.expect.resourceVersion
  ) {
    throw current
      ? new RequestError(
          'Conflict',
          `bundle "${name}" was changed meanwhile; read it and apply again`,
        )
      : new RequestError('NotFound', `bundles.flotilla.dev "${name}" not found`);
  }
  const { signed } = request;
  const known = current ? await parts.store.revisionByDigest(current.status.digest) : null;
  const revised = signed
    ? await signedRevision(parts, actor, signed)
    : current && sameContent(current.spec, { ...request.spec, manifests }) && mayStay(parts, known)
      ? null
      : await nextRevision(parts, actor, { request, manifests });
  const same = !revised || current?.status.digest === revised.digest;
  const { nodeSelector, images = [], strategy, rollout } = request.spec;
  await refuseReach(parts.store, parts.root().document, {
    ...{ namespace, name, nodeSelector, manifests },
    mutations: revised?.mutations ?? [],
    digest: current?.status.digest ?? '',
  });
  await refuseConflicts(parts.store, { namespace, name, nodeSelector, manifests }, current);
  const spec: BundleSpec = {
    ...{ nodeSelector, manifests },
    ...(images.length > 0 ? { images } : {}),
    ...(strategy === undefined ? {} : { strategy }),
    ...(rollout === undefined ? {} : { rollout: plainPlan(rollout) }),
  };
  const counted =
    same && current ? current.status : freshStatus(revised as Revised, current, spec.rollout);
  const made = madeRevision(revised?.mutations ?? []);
  const record = made ?? known;
  const look = { former: same && current ? current.status : null, now: parts.clock.now() };
  const status: BundleObjectStatus = {
    ...counted,
    ...(record ? standingOf(parts.root().document, record, look) : {}),
  };
  const asked = unheld(request.annotations);
  const annotations = annotationsAfter(asked, same ? (current?.metadata.annotations ?? {}) : null);
  const draft = {
    kind: 'Bundle' as const,
    metadata: { namespace, name, labels: request.labels, annotations },
    spec,
    status,
  };
  if (request.dryRun) return dryRun(parts, current, { draft, changed: !same });
  const expect = current
    ? { resourceVersion: current.metadata.resourceVersion }
    : ('absent' as const);
  const now = parts.clock.now();
  const begun = { namespace, name, plan: spec.rollout ?? null, bundle: current, actor, now };
  const begins =
    made !== null && !same ? { made, known } : await released(parts.store, current, known);
  const mutations: Mutation[] = [
    ...(revised?.mutations ?? []),
    {
      type: 'put',
      object: draft,
      expect,
      ...(made === null ? {} : { wish: revisionText(made.revision, annotations) }),
    },
    ...(begins === null ? [] : await rolloutWrites(parts, { ...begun, ...begins })),
  ];
  const { objects } = await commit(parts, actor, mutations);
  const object = objects[0] as BundleObject;
  const untouched = current?.metadata.resourceVersion === object.metadata.resourceVersion;
  return { object, outcome: current === null ? 'created' : untouched ? 'unchanged' : 'configured' };
}

/** Clients send back what they read; who applies a bundle that was held says where it is meant to be. */
function unheld(annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => key !== HELD_ANNOTATION));
}

function sameContent(a: BundleSpec, b: BundleSpec): boolean {
  return (
    sameManifests(a.manifests, b.manifests) &&
    sameStrategy(strategyOf(a), strategyOf(b)) &&
    sameImages(a.images, b.images)
  );
}

/**
 * What the root withdrew is made anew when it is asked for again: as it is, no node would begin with it. Where this hub cannot sign
 * it stays, so that its nodes at least can be changed.
 */
function mayStay({ root, releaseSigner }: ApplyParts, record: RevisionRecord | null): boolean {
  if (record === null || withdrawalOf(root().document, record) === null) return true;
  const { namespace, bundle: name } = record;
  return !signsHere(root().document, { namespace, name }, releaseSigner);
}

type Draft = Pick<BundleObject, 'spec' | 'status'> & {
  readonly metadata: Pick<
    BundleObject['metadata'],
    'namespace' | 'name' | 'labels' | 'annotations'
  >;
};

/** The object as it would be; nothing was written. */
function dryRun(
  { clock }: ApplyParts,
  current: BundleObject | null,
  { draft, changed }: { draft: Draft; changed: boolean },
): Awaited<ReturnType<BundleWriter['apply']>> {
  const respecified =
    changed ||
    current?.spec.nodeSelector !== draft.spec.nodeSelector ||
    !samePlan(current.spec.rollout, draft.spec.rollout);
  const told = (of: Pick<BundleObject['metadata'], 'labels' | 'annotations'> | undefined) =>
    canonicalJson([of?.labels, of?.annotations]);
  const configured = respecified || told(current?.metadata) !== told(draft.metadata);
  const object: BundleObject = {
    kind: 'Bundle',
    metadata: {
      uid: '',
      resourceVersion: '',
      creationTimestamp: `${new Date(clock.now()).toISOString().slice(0, 19)}Z`,
      ...current?.metadata,
      ...draft.metadata,
      generation: (current?.metadata.generation ?? 0) + (respecified ? 1 : 0),
    },
    spec: draft.spec,
    status: draft.status,
  };
  return {
    object,
    outcome: current === null ? 'created' : configured ? 'configured' : 'unchanged',
  };
}

function strategyOf({ strategy }: BundleSpec): BundleStrategy {
  return strategy ?? DEFAULT_STRATEGY;
}

/** Nobody has the new revision yet; whom it is for does not depend on it. */
function freshStatus(
  revised: Revised,
  current: BundleObject | null,
  plan: RolloutPlan | undefined,
): BundleObjectStatus {
  const { desired = 0, offline = 0 } = current?.status.nodes ?? {};
  const nodes = { desired, updated: 0, healthy: 0, failed: 0, offline };
  const { revision, digest } = revised;
  if (plan === undefined) return { revision, digest, nodes };
  const waves = plan.waves.length;
  const rollout = { phase: 'progressing', reason: 'Nodes', wave: 0, waves } as const;
  return { revision, digest, nodes, rollout };
}

async function nextRevision(
  { store, root, releaseSigner, clock }: ApplyParts,
  actor: Actor,
  { request, manifests }: { request: ApplyRequest; manifests: readonly BundleManifest[] },
): Promise<Revised> {
  const { namespace, name } = request;
  const { signer, scopes } = signerFor(root().document, request, releaseSigner);
  const pods = manifests.flatMap(manifest =>
    manifest.kind === 'Pod' ? [manifest as ValidPod] : [],
  );
  refuseInvalid(request, beyondScope(pods, scopes));
  const former = await store.revisions(namespace, name);
  const last = former.reduce<(typeof former)[number] | null>(
    (a, b) => (a && a.revision > b.revision ? a : b),
    null,
  );
  const { fleet, floors } = root().document;
  const floor = floors[`${namespace}/${name}`] ?? 0;
  try {
    return revise({
      fleet,
      topics: topicsOf(fleet),
      namespace,
      name,
      manifests,
      images: request.spec.images ?? [],
      strategy: strategyOf(request.spec),
      // Below the root's floor nothing runs.
      lastRevision: Math.max(
        last?.revision ?? 0,
        floor - 1,
        await store.highestRevision(namespace, name),
      ),
      formerRevisions: former.map(record => record.revision),
      lastRollbackFloor: last ? rollbackFloorOf(last) : 0,
      issued: new Date(clock.now()).toISOString(),
      createdBy: actor.name,
      signer,
    });
  } catch (error) {
    if (error instanceof BundleTooLarge)
      throw new RequestError('Invalid', `bundle "${name}": ${error.message}`);
    throw error;
  }
}

/** The manifests, each in the bundle's namespace. Throws `Invalid` with every field that is wrong. */
function checked({ root }: ApplyParts, request: ApplyRequest): BundleManifest[] {
  if (request.signed) {
    refuseInvalid(request, nameCauses(request));
    return [...request.signed.manifests];
  }
  const { manifests, causes } = checkManifests(request.spec.manifests, {
    namespace: request.namespace,
    podsMax: root().document.limits.podsPerBundle,
  });
  const unused = imageCauses(request.spec.images ?? [], manifests);
  refuseInvalid(request, [...nameCauses(request), ...causes, ...unused]);
  return [...manifests];
}

function refuseInvalid({ name }: ApplyRequest, causes: readonly Cause[]): void {
  if (causes.length === 0) return;
  const lines = causes.map(cause => cause.message).join('; ');
  throw new RequestError('Invalid', `bundle "${name}" is invalid: ${lines}`, [...causes]);
}

function nameCauses(request: ApplyRequest): Cause[] {
  const causes: Cause[] = [];
  const grammar = 'at most 63 of a-z, 0-9 and -, beginning and ending with a letter or digit';
  if (!LABEL_PATTERN.test(request.name)) {
    causes.push({
      field: 'metadata.name',
      message: `"${request.name}" is not a bundle name: ${grammar}`,
    });
  }
  if (!LABEL_PATTERN.test(request.namespace)) {
    causes.push({
      field: 'metadata.namespace',
      message: `"${request.namespace}" is not a namespace: ${grammar}`,
    });
  }
  const fault = changeCauseFault(changeCauseOf(request.annotations));
  if (fault !== null) {
    const message = `${CHANGE_CAUSE}: ${fault}`;
    causes.push({ field: 'metadata.annotations', message });
  }
  try {
    parseSelector(request.spec.nodeSelector);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    causes.push({ field: 'spec.nodeSelector', message: error.message });
  }
  return causes;
}

async function commit({ store }: ApplyParts, actor: Actor, mutations: readonly Mutation[]) {
  try {
    return await store.commit(actor, mutations);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === 'Conflict') {
      throw new RequestError(
        'Conflict',
        'the bundle was changed meanwhile; read it and apply again',
      );
    }
    if (error.code === 'AlreadyExists' || error.code === 'NotFound')
      throw new RequestError(error.code, error.message);
    throw error;
  }
}
