/** Join tokens: made by the enrolment, whose answer shows the join line this once; deleted here. */
import type { TokenObject } from '../../objects.js';
import { API_VERSION } from '../../objects.js';
import type { Enrolment, TokenRequest } from '../../ports.js';
import type { Store } from '../../store/store.js';
import { toApiObject } from '../api-object.js';
import {
  checkKind,
  fieldsAt,
  labelMap,
  refuseCauses,
  refuseUnknown,
  type Cause,
} from '../body-fields.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { groupPath, TOKENS } from '../resources.js';
import { notFound, success } from '../status.js';
import { checkPreconditions, parseDeleteOptions } from '../write-options.js';

export interface TokenParts {
  readonly store: Store;
  readonly enrolment: Enrolment;
}

const SUBJECT = { group: TOKENS.group, resource: TOKENS.name };
const TTL_S_DEFAULT = 24 * 3600;
const TTL_S_MIN = 60;
const TTL_S_MAX = 90 * 24 * 3600;

function readTtl(value: unknown, causes: Cause[]): number {
  if (value === undefined || value === null) return TTL_S_DEFAULT;
  const isSeconds = typeof value === 'number' && Number.isInteger(value);
  if (isSeconds && value >= TTL_S_MIN && value <= TTL_S_MAX) return value;
  causes.push({
    field: 'spec.ttlSeconds',
    message: `must be a whole number from ${TTL_S_MIN} to ${TTL_S_MAX}`,
  });
  return TTL_S_DEFAULT;
}

function readNames(value: unknown, causes: Cause[]): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every(name => typeof name === 'string')) return value;
  causes.push({ field: 'spec.nodes', message: 'must be a list of names' });
  return [];
}

/** Throws BadRequest and Invalid. */
export function parseTokenRequest(value: unknown): TokenRequest {
  const body = fieldsAt(value, '');
  checkKind(body, API_VERSION.Token, 'Token');
  refuseUnknown(body, ['apiVersion', 'kind', 'metadata', 'spec'], '');
  refuseUnknown(fieldsAt(body['metadata'], 'metadata'), ['creationTimestamp'], 'metadata');
  const spec = fieldsAt(body['spec'], 'spec');
  refuseUnknown(spec, ['labels', 'ttlSeconds', 'nodes', 'uses', 'approve'], 'spec');
  const causes: Cause[] = [];
  const labels = labelMap(spec['labels'], 'spec.labels', causes);
  const ttlS = readTtl(spec['ttlSeconds'], causes);
  const nodes = readNames(spec['nodes'], causes);
  const uses = spec['uses'] ?? 1;
  if (typeof uses !== 'number') causes.push({ field: 'spec.uses', message: 'must be a number' });
  const approve = spec['approve'] ?? false;
  if (typeof approve !== 'boolean') {
    causes.push({ field: 'spec.approve', message: 'must be true or false' });
  }
  refuseCauses('Token.flotilla.dev', causes);
  return { labels, ttlS, nodes, uses: Number(uses), approve: approve === true };
}

function withJoinLine(object: TokenObject, joinLine: string): object {
  return { ...toApiObject(object), status: { ...object.status, joinLine } };
}

function create(parts: TokenParts) {
  return async (request: ApiRequest) => {
    const asked = parseTokenRequest(await request.json());
    const { object, joinLine } = await parts.enrolment.createToken(request.actor, asked);
    return json(withJoinLine(object, joinLine), 201);
  };
}

function remove(parts: TokenParts) {
  return async (request: ApiRequest) => {
    const name = param(request, 'name');
    const options = parseDeleteOptions(await request.json(), request.query);
    const stored = await parts.store.get('Token', '', name);
    if (!stored) throw notFound({ ...SUBJECT, name });
    checkPreconditions(options, stored.metadata);
    if (!options.dryRun) {
      await parts.store.commit(request.actor, [
        { type: 'delete', kind: 'Token', namespace: '', name },
      ]);
    }
    return json(success({ ...SUBJECT, name }, stored.metadata.uid));
  };
}

export function tokenRoutes(parts: TokenParts): readonly Route[] {
  const path = `${groupPath(TOKENS.group)}/tokens`;
  const common = { access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, method: 'POST', path, handle: create(parts) },
    { ...common, method: 'DELETE', path: `${path}/:name`, handle: remove(parts) },
  ];
}
