/**
 * Sealing: what an operator's machine needs to seal a bundle's Secrets, and where it brings them. Values never come here; what the
 * request means is the secret writer's.
 */
import { LABEL_PATTERN, SUBDOMAIN_PATTERN } from '../../../protocol/names.js';
import { API_VERSION } from '../../objects.js';
import type { SealedItem, SealRequest, SecretWriter } from '../../ports.js';
import { RequestError } from '../../ports.js';
import { parseSelector, SelectorError } from '../../selectors.js';
import type { Store } from '../../store/store.js';
import {
  checkKind,
  fieldsAt,
  isFields,
  refuseCauses,
  refuseUnknown,
  type Cause,
  type Fields,
} from '../body-fields.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { BUNDLES, groupPath, SECRETS } from '../resources.js';
import { notFound, success } from '../status.js';
import { checkPreconditions, parseDeleteOptions } from '../write-options.js';

export interface SecretParts {
  readonly store: Store;
  readonly secrets: SecretWriter;
}

const SUBJECT = { group: SECRETS.group, resource: SECRETS.name };
const KIND = 'Sealing';
const SPEC = ['secret', 'version', 'type', 'immutable', 'keys', 'fingerprint', 'sealed'];

function selectorIn(query: URLSearchParams): string | null {
  const selector = query.get('nodeSelector');
  try {
    if (selector !== null) parseSelector(selector);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw new RequestError('BadRequest', `nodeSelector: ${error.message}`);
  }
  return selector;
}

function get(parts: SecretParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const bundle = param(request, 'name');
    const nodeSelector = selectorIn(request.query);
    const status = await parts.secrets.sealing({ namespace, bundle, nodeSelector });
    const head = { apiVersion: API_VERSION.Secret, kind: KIND };
    return json({ ...head, metadata: { name: bundle, namespace }, status });
  };
}

function readable(parts: SecretParts) {
  return async (request: ApiRequest) => {
    const node = param(request, 'name');
    const secrets = await parts.secrets.readableBy(node);
    const head = { apiVersion: API_VERSION.Secret, kind: 'ReadableSecrets' };
    return json({ ...head, metadata: { name: node }, status: { secrets } });
  };
}

/** Body: `{names: [...]}` with names of the namespace, or `{}` for all that is on the list. */
function replaced(parts: SecretParts) {
  return async (request: ApiRequest) => {
    const node = param(request, 'name');
    const body = fieldsAt(await request.json(), '');
    refuseUnknown(body, ['namespace', 'names'], '');
    const { namespace = '', names = null } = body;
    const isList = Array.isArray(names) && names.every(name => typeof name === 'string');
    const check = (isGood: boolean, field: string, message: string) =>
      isGood ? [] : [{ field, message }];
    refuseCauses('the request', [
      ...check(names === null || isList, 'names', 'must be a list of strings'),
      ...check(typeof namespace === 'string', 'namespace', 'must be a string'),
    ]);
    const of = { node, namespace: String(namespace), names: names as readonly string[] | null };
    const secrets = await parts.secrets.replaced(request.actor, of);
    const head = { apiVersion: API_VERSION.Secret, kind: 'ReadableSecrets' };
    return json({ ...head, metadata: { name: node }, status: { secrets } });
  };
}

function unsealed(parts: SecretParts) {
  return async (request: ApiRequest) => {
    const secrets = await parts.secrets.unsealed(request.params['namespace'] ?? null);
    const head = { apiVersion: API_VERSION.Secret, kind: 'UnsealedSecrets' };
    return json({ ...head, metadata: {}, status: { secrets } });
  };
}

function itemOf(value: unknown, field: string, causes: Cause[]): SealedItem[] {
  const item = isFields(value) ? value : {};
  const texts = (...names: string[]) => names.every(name => typeof item[name] === 'string');
  const { node, recipient, sealed, envelope } = item as Record<string, string>;
  const given = Object.keys(item).sort().join();
  if (given === 'envelope' && texts('envelope')) return [{ envelope: envelope ?? '' }];
  if (given === 'node,recipient,sealed' && texts('node', 'recipient', 'sealed')) {
    return [{ node: node ?? '', recipient: recipient ?? '', sealed: sealed ?? '' }];
  }
  causes.push({ field, message: 'must have node, recipient and sealed, or envelope' });
  return [];
}

function namesIn(spec: Fields, causes: Cause[]): string[] {
  const { keys } = spec;
  if (Array.isArray(keys) && keys.every(key => typeof key === 'string')) return keys;
  causes.push({ field: 'spec.keys', message: 'must be a list of strings' });
  return [];
}

/** Throws BadRequest and Invalid. */
function parseSealing(
  value: unknown,
  path: { readonly namespace: string; readonly bundle: string },
): SealRequest {
  const body = fieldsAt(value, '');
  checkKind(body, API_VERSION.Secret, KIND);
  refuseUnknown(body, ['apiVersion', 'kind', 'metadata', 'spec'], '');
  const spec = fieldsAt(body['spec'], 'spec');
  refuseUnknown(spec, SPEC, 'spec');
  const causes: Cause[] = [];
  const { secret, version, type, immutable = false, fingerprint = null, sealed } = spec;
  const check = (isRight: boolean, field: string, message: string) => {
    if (!isRight) causes.push({ field, message });
  };
  check(LABEL_PATTERN.test(path.bundle), 'metadata.name', 'is not an RFC 1123 label');
  check(LABEL_PATTERN.test(path.namespace), 'metadata.namespace', 'is not an RFC 1123 label');
  const isName = typeof secret === 'string' && SUBDOMAIN_PATTERN.test(secret);
  check(isName, 'spec.secret', 'must be an RFC 1123 subdomain');
  check(Number.isSafeInteger(version) && Number(version) > 0, 'spec.version', 'must be from 1');
  check(typeof type === 'string' && type.length <= 253, 'spec.type', 'must be a string');
  check(typeof immutable === 'boolean', 'spec.immutable', 'must be a boolean');
  const isPrint = typeof fingerprint === 'string' && /^[0-9a-f]{64}$/.test(fingerprint);
  check(fingerprint === null || isPrint, 'spec.fingerprint', 'must be 64 hex digits');
  check(Array.isArray(sealed), 'spec.sealed', 'must be a list');
  const keys = namesIn(spec, causes);
  const items = Array.isArray(sealed)
    ? sealed.flatMap((item, index) => itemOf(item, `spec.sealed[${index}]`, causes))
    : [];
  refuseCauses(`Sealing.flotilla.dev "${path.bundle}"`, causes);
  return {
    ...path,
    secret: String(secret),
    version: Number(version),
    type: String(type),
    immutable: immutable === true,
    keys,
    fingerprint: fingerprint as string | null,
    sealed: items,
  };
}

function create(parts: SecretParts) {
  return async (request: ApiRequest) => {
    const path = { namespace: param(request, 'namespace'), bundle: param(request, 'name') };
    const sealing = parseSealing(await request.json(), path);
    const status = await parts.secrets.seal(request.actor, sealing);
    const head = { apiVersion: API_VERSION.Secret, kind: KIND };
    const metadata = { name: path.bundle, namespace: path.namespace };
    return json({ ...head, metadata, status }, 201);
  };
}

function remove(parts: SecretParts) {
  return async (request: ApiRequest) => {
    const namespace = param(request, 'namespace');
    const name = param(request, 'name');
    const options = parseDeleteOptions(await request.json(), request.query);
    const stored = await parts.store.get('Secret', namespace, name);
    if (!stored) throw notFound({ ...SUBJECT, name });
    checkPreconditions(options, stored.metadata);
    await parts.secrets.remove(request.actor, { namespace, name, dryRun: options.dryRun });
    return json(success({ ...SUBJECT, name }, stored.metadata.uid));
  };
}

export function secretRoutes(parts: SecretParts): readonly Route[] {
  const place = `${groupPath(SECRETS.group)}/namespaces/:namespace`;
  const common = { access: 'admin', subject: SUBJECT } as const;
  const sealing = `${place}/${BUNDLES.name}/:name/sealing`;
  return [
    { ...common, method: 'GET', path: sealing, handle: get(parts) },
    { ...common, method: 'POST', path: sealing, handle: create(parts) },
    {
      ...common,
      method: 'GET',
      path: `${groupPath(SECRETS.group)}/nodes/:name/secrets`,
      handle: readable(parts),
    },
    {
      ...common,
      method: 'POST',
      path: `${groupPath(SECRETS.group)}/nodes/:name/replaced`,
      handle: replaced(parts),
    },
    ...[place, groupPath(SECRETS.group)].map((under): Route => {
      return { ...common, method: 'GET', path: `${under}/unsealed`, handle: unsealed(parts) };
    }),
    { ...common, method: 'DELETE', path: `${place}/${SECRETS.name}/:name`, handle: remove(parts) },
  ];
}
