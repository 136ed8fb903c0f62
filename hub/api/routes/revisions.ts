/**
 * The revisions of a bundle: a list of what was signed, and one of them with its manifests, put together from the
 * blobs that its signed document names.
 */
import { sha256Hex } from '../../../protocol/canonical.js';
import type { BundleDocument, ManifestEntry } from '../../../protocol/documents/bundle.js';
import type { Envelope } from '../../../protocol/documents/envelope.js';
import { API_VERSION } from '../../objects.js';
import { RequestError } from '../../ports.js';
import type { RevisionRecord, Store } from '../../store/store.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { BUNDLES, groupPath } from '../resources.js';
import { notFound } from '../status.js';

const SUBJECT = { group: BUNDLES.group, resource: BUNDLES.name };
const KIND = 'BundleRevision';

function toRevision(record: RevisionRecord): {
  metadata: object;
  spec: Readonly<Record<string, unknown>>;
} {
  const { namespace, bundle, revision, digest, size, createdBy, createdAt } = record;
  return {
    metadata: { name: `${bundle}-${revision}`, namespace, creationTimestamp: createdAt },
    spec: { revision, digest, size, createdBy },
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

function list(store: Store) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    const bundle = await store.get('Bundle', namespace, name);
    const records = await store.revisions(namespace, name);
    if (!bundle && records.length === 0) throw notFound({ ...SUBJECT, name });
    return json({
      kind: `${KIND}List`,
      apiVersion: API_VERSION.Bundle,
      metadata: {},
      items: records.map(toRevision),
    });
  };
}

function get(store: Store) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    const number = param(request, 'revision');
    const revision = /^[1-9]\d{0,14}$/.test(number) ? Number(number) : 0;
    const record = revision === 0 ? null : await store.revision(namespace, name, revision);
    if (!record) {
      throw new RequestError(
        'NotFound',
        `bundles.flotilla.dev "${name}" has no revision ${number}`,
      );
    }
    const manifests: unknown[] = [];
    for (const entry of documentOf(record).manifests) manifests.push(await content(store, entry));
    const { metadata, spec } = toRevision(record);
    const head = { kind: KIND, apiVersion: API_VERSION.Bundle };
    return json({ ...head, metadata, spec: { ...spec, manifests } });
  };
}

export function revisionRoutes(store: Store): readonly Route[] {
  const path = `${groupPath(BUNDLES.group)}/namespaces/:namespace/bundles/:name/revisions`;
  const common = { method: 'GET', access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, path, handle: list(store) },
    { ...common, path: `${path}/:revision`, handle: get(store) },
  ];
}
