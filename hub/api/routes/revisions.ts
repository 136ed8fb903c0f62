/**
 * The revisions of a bundle: a list of what was signed, with why, by whom and how its rollout ended, and one of them with its manifests, put
 * together from the blobs that its signed document names.
 */
import { sha256Hex } from '../../../protocol/canonical.js';
import type { BundleDocument, ManifestEntry } from '../../../protocol/documents/bundle.js';
import type { Envelope } from '../../../protocol/documents/envelope.js';
import { API_VERSION } from '../../objects.js';
import { RequestError } from '../../ports.js';
import { CHANGE_CAUSE } from '../../rollout/change-cause.js';
import type { RolloutDesk } from '../../rollout/desk.js';
import type { RevisionEntry } from '../../rollout/read-history.js';
import type { RevisionRecord, Store } from '../../store/store.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { BUNDLES, groupPath } from '../resources.js';
import { notFound } from '../status.js';

const SUBJECT = { group: BUNDLES.group, resource: BUNDLES.name };
const KIND = 'BundleRevision';

export interface RevisionParts {
  readonly store: Store;
  readonly rollouts: Pick<RolloutDesk, 'history'>;
}

function toRevision({ record, isNewest, signatures, withdrawal, history }: RevisionEntry) {
  const { namespace, bundle, revision, digest, size, createdBy, createdAt } = record;
  const { changeCause, ...status } = history;
  const annotations = changeCause === '' ? {} : { annotations: { [CHANGE_CAUSE]: changeCause } };
  const name = `${bundle}-${revision}`;
  return {
    metadata: { name, namespace, creationTimestamp: createdAt, ...annotations },
    spec: { revision, digest, size, createdBy },
    status: { isNewest, ...status, signatures, withdrawn: withdrawal },
  };
}

/** What the store gives back is not what was put there: a disk, or a hand. */
function damaged(what: string): RequestError {
  return new RequestError(
    'InternalError',
    `${what} is damaged in the hub's store: restore a backup (flotilla hub restore), or apply the bundle anew as another revision`,
  );
}

function documentOf(record: RevisionRecord): BundleDocument {
  const what = `revision ${record.revision} of bundle "${record.bundle}"`;
  try {
    const envelope = JSON.parse(Buffer.from(record.envelope).toString()) as Envelope;
    const payload = Buffer.from(envelope.payload, 'base64');
    if (sha256Hex(payload) !== record.digest) throw damaged(what);
    return JSON.parse(payload.toString()) as BundleDocument;
  } catch (error) {
    throw error instanceof RequestError ? error : damaged(what);
  }
}

async function content(store: Store, entry: ManifestEntry): Promise<unknown> {
  const digests = entry.parts.length === 0 ? [entry.digest] : entry.parts.map(p => p.digest);
  const pieces: Uint8Array[] = [];
  for (const digest of digests) {
    const blob = await store.blob(digest);
    if (!blob) {
      throw new RequestError(
        'Expired',
        `the content of manifest "${entry.name}" is no longer kept (blob ${digest})`,
      );
    }
    pieces.push(blob.content);
  }
  const bytes = Buffer.concat(pieces);
  // Shown is what was signed.
  if (sha256Hex(bytes) !== entry.digest) throw damaged(`the content of manifest "${entry.name}"`);
  return JSON.parse(bytes.toString()) as unknown;
}

function list({ store, rollouts }: RevisionParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    const bundle = await store.get('Bundle', namespace, name);
    const entries = await rollouts.history({ namespace, name });
    if (!bundle && entries.length === 0) throw notFound({ ...SUBJECT, name });
    return json({
      kind: `${KIND}List`,
      apiVersion: API_VERSION.Bundle,
      metadata: {},
      items: entries.map(toRevision),
    });
  };
}

function get({ store, rollouts }: RevisionParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    const number = param(request, 'revision');
    const revision = /^[1-9]\d{0,14}$/.test(number) ? Number(number) : 0;
    const entries = await rollouts.history({ namespace, name });
    const entry = entries.find(({ record }) => record.revision === revision);
    if (!entry) {
      throw new RequestError(
        'NotFound',
        `bundles.flotilla.dev "${name}" has no revision ${number}`,
      );
    }
    const manifests: unknown[] = [];
    const document = documentOf(entry.record);
    for (const manifest of document.manifests) manifests.push(await content(store, manifest));
    const { metadata, spec, status } = toRevision(entry);
    const { images, strategy, requires, rollbackFloor, secrets } = document;
    const head = { kind: KIND, apiVersion: API_VERSION.Bundle };
    const signed = { images, strategy, requires, rollbackFloor, secrets, manifests };
    return json({ ...head, metadata, spec: { ...spec, ...signed }, status });
  };
}

export function revisionRoutes(parts: RevisionParts): readonly Route[] {
  const path = `${groupPath(BUNDLES.group)}/namespaces/:namespace/bundles/:name/revisions`;
  const common = { method: 'GET', access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, path, handle: list(parts) },
    { ...common, path: `${path}/:revision`, handle: get(parts) },
  ];
}
