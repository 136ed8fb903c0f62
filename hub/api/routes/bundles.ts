/** Writes of bundles: the request is read here, what it means is the bundle writer's. */
import type { BundleActivate, BundleRetry, BundleWriter } from '../../ports.js';
import { RequestError, type ApplyRequest } from '../../ports.js';
import { withChangeCause } from '../../rollout/change-cause.js';
import { conflictWarnings } from '../../rollout/conflict-check.js';
import { parameterWarnings } from '../../rollout/parameter-check.js';
import { declaredIn } from '../../rollout/revision-document.js';
import type { BundleObject } from '../../objects.js';
import { ARCHIVE_BYTES_MAX, ARCHIVE_TYPE } from '../../signing/archive.js';
import { readBundleFile } from '../../signing/bundle-file.js';
import type { Store } from '../../store/store.js';
import { toApiObject } from '../api-object.js';
import { fieldsAt, refuseCauses, refuseUnknown, type Cause, type Fields } from '../body-fields.js';
import { parseBundle, readPlan, type BundleBody } from '../bundle-body.js';
import { json, param, type Answer, type ApiRequest, type Route } from '../request.js';
import { BUNDLES, groupPath } from '../resources.js';
import { notFound, success } from '../status.js';
import { checkPreconditions, parseDeleteOptions, parseDryRun } from '../write-options.js';

export interface BundleParts {
  readonly store: Store;
  readonly bundles: BundleWriter;
  readonly retry: BundleRetry;
  readonly activate: BundleActivate;
}

const SUBJECT = { group: BUNDLES.group, resource: BUNDLES.name };

/** With what is probably not as it was meant. */
async function applied(
  store: Store,
  object: BundleObject,
  outcome: 'created' | 'configured' | 'unchanged',
): Promise<Answer> {
  const warnings = [
    ...(await parameterWarnings(store, object)),
    ...(await conflictWarnings(store, object)),
  ];
  const code = outcome === 'created' ? 201 : 200;
  return { type: 'json', code, body: toApiObject(object), warnings };
}

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
  return applied(parts.store, object, outcome);
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

/**
 * A bundle file becomes the next revision. What the body cannot say stands in the query: `nodeSelector` (absent: as it is),
 * `rollout` as JSON (absent: as it is; null: none), `changeCause`, `resourceVersion` of the object that the client saw, `dryRun`.
 */
function importSigned(parts: BundleParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    if (request.contentType !== ARCHIVE_TYPE) {
      throw new RequestError(
        'UnsupportedMediaType',
        `only ${ARCHIVE_TYPE}, a bundle file, is read`,
      );
    }
    const read = await readBundleFile(await request.body(ARCHIVE_BYTES_MAX));
    if (!read.ok) {
      const { code, detail } = read.refusal;
      throw new RequestError('Invalid', `not a whole bundle: ${detail} (${code})`);
    }
    const { document, manifests } = read.value;
    if (document.namespace !== namespace || document.name !== name) {
      const is = `${document.namespace}/${document.name}`;
      throw new RequestError('BadRequest', `the file is of bundle ${is}, not ${namespace}/${name}`);
    }
    const current = (await parts.store.get('Bundle', namespace, name)) as BundleObject | null;
    const nodeSelector = request.query.get('nodeSelector') ?? current?.spec.nodeSelector;
    if (nodeSelector === undefined) {
      throw new RequestError('Invalid', `bundle "${name}" is new: nodeSelector is required`);
    }
    const resourceVersion = request.query.get('resourceVersion');
    const causes: Cause[] = [];
    const asked = request.query.get('rollout');
    const plan = asked === null ? current?.spec.rollout : jsonOf(asked);
    const rollout = readPlan(plan, causes);
    refuseCauses(`Bundle.flotilla.dev "${name}"`, causes);
    const { object, outcome } = await parts.bundles.apply(request.actor, {
      namespace,
      name,
      labels: current?.metadata.labels ?? {},
      annotations: withChangeCause(
        current?.metadata.annotations ?? {},
        request.query.get('changeCause') ?? '',
      ),
      spec: {
        ...{ nodeSelector, manifests },
        ...declaredIn(document),
        ...rollout,
      },
      signed: read.value,
      expect: resourceVersion === null ? 'any' : { resourceVersion },
      dryRun: parseDryRun(request.query),
    });
    return applied(parts.store, object, outcome);
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError('BadRequest', 'rollout: must be JSON');
  }
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

function nodesOf({ nodes = [] }: Fields): readonly string[] {
  if (Array.isArray(nodes) && nodes.every(node => typeof node === 'string')) return nodes;
  throw new RequestError('BadRequest', 'nodes: must be a list of names');
}

const REASON_MAX = 256;

/** Nodes that wait for a maintenance window wait no more. The body may name some of them, and say why. */
function activate(parts: BundleParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    const body = fieldsAt((await request.json()) ?? {}, '');
    refuseUnknown(body, ['nodes', 'reason'], '');
    const { reason = '' } = body;
    if (typeof reason !== 'string' || reason.length > REASON_MAX || /\p{Cc}/u.test(reason)) {
      const message = `reason: must be a line of at most ${REASON_MAX} characters`;
      throw new RequestError('BadRequest', message);
    }
    const wish = { namespace, name, nodes: nodesOf(body), reason };
    const activated = await parts.activate(request.actor, wish);
    return json({ kind: 'BundleActivate', apiVersion: 'flotilla.dev/v1', ...activated });
  };
}

/** Nodes that gave it up try again. The body may name some of them. */
function retry(parts: BundleParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    const body = fieldsAt((await request.json()) ?? {}, '');
    refuseUnknown(body, ['nodes'], '');
    const nodes = nodesOf(body);
    const raised = await parts.retry(request.actor, { namespace, name, nodes });
    return json({ kind: 'BundleRetry', apiVersion: 'flotilla.dev/v1', nodes: raised });
  };
}

export function bundleRoutes(parts: BundleParts): readonly Route[] {
  const collection = `${groupPath(BUNDLES.group)}/namespaces/:namespace/bundles`;
  const common = { access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, method: 'POST', path: collection, handle: create(parts) },
    { ...common, method: 'PUT', path: `${collection}/:name`, handle: update(parts) },
    {
      ...common,
      method: 'POST',
      path: `${collection}/:name/revisions`,
      handle: importSigned(parts),
    },
    { ...common, method: 'POST', path: `${collection}/:name/retry`, handle: retry(parts) },
    { ...common, method: 'POST', path: `${collection}/:name/activate`, handle: activate(parts) },
    { ...common, method: 'DELETE', path: `${collection}/:name`, handle: remove(parts) },
  ];
}
