/** Writes of bundles: the request is read here, what it means is the bundle writer's. */
import type { BundleWriter } from '../../ports.js';
import { RequestError, type ApplyRequest } from '../../ports.js';
import type { Store } from '../../store/store.js';
import { toApiObject } from '../api-object.js';
import { parseBundle, type BundleBody } from '../bundle-body.js';
import { json, param, type Answer, type ApiRequest, type Route } from '../request.js';
import { BUNDLES, groupPath } from '../resources.js';
import { notFound, success } from '../status.js';
import { checkPreconditions, parseDeleteOptions, parseDryRun } from '../write-options.js';

export interface BundleParts {
  readonly store: Store;
  readonly bundles: BundleWriter;
}

const SUBJECT = { group: BUNDLES.group, resource: BUNDLES.name };

async function apply(
  parts: BundleParts,
  request: ApiRequest,
  options: { readonly body: BundleBody; readonly expect: ApplyRequest['expect'] },
): Promise<Answer> {
  const { namespace, name, labels, annotations, spec } = options.body;
  const { object, outcome } = await parts.bundles.apply(request.actor, {
    namespace,
    name,
    labels,
    annotations,
    spec,
    expect: options.expect,
    dryRun: parseDryRun(request.query),
  });
  return json(toApiObject(object), outcome === 'created' ? 201 : 200);
}

function create(parts: BundleParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const body = parseBundle(await request.json(), { namespace, name: null });
    if (body.resourceVersion !== null) {
      throw new RequestError(
        'BadRequest',
        'metadata.resourceVersion: must not be set on an object that is to be created',
      );
    }
    return apply(parts, request, { body, expect: 'absent' });
  };
}

function update(parts: BundleParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    const body = parseBundle(await request.json(), { namespace, name });
    if (body.uid !== null) {
      const stored = await parts.store.get('Bundle', namespace, name);
      if (!stored) throw notFound({ ...SUBJECT, name });
      checkPreconditions({ uid: body.uid, resourceVersion: null }, stored.metadata);
    }
    const { resourceVersion } = body;
    return apply(parts, request, {
      body,
      expect: resourceVersion === null ? 'any' : { resourceVersion },
    });
  };
}

function remove(parts: BundleParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    const options = parseDeleteOptions(await request.json(), request.query);
    const stored = await parts.store.get('Bundle', namespace, name);
    if (!stored) throw notFound({ ...SUBJECT, name });
    checkPreconditions(options, stored.metadata);
    const { dryRun } = options;
    const removed = await parts.bundles.remove(request.actor, { namespace, name, dryRun });
    return json(success({ ...SUBJECT, name }, removed.metadata.uid));
  };
}

export function bundleRoutes(parts: BundleParts): readonly Route[] {
  const collection = `${groupPath(BUNDLES.group)}/namespaces/:namespace/bundles`;
  const common = { access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, method: 'POST', path: collection, handle: create(parts) },
    { ...common, method: 'PUT', path: `${collection}/:name`, handle: update(parts) },
    { ...common, method: 'DELETE', path: `${collection}/:name`, handle: remove(parts) },
  ];
}
