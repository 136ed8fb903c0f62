/** The fleet's root: the one in force, the next one, keys that lie at the hub. */
import { API_VERSION } from '../../objects.js';
import {
  RequestError,
  type RootObject,
  type RootWriter,
  type RotatedRole,
  type RotationRequest,
} from '../../ports.js';
import { checkKind, fieldsAt, refuseCauses, refuseUnknown } from '../body-fields.js';
import { json, type ApiRequest, type Route } from '../request.js';
import { groupPath, GROUP } from '../resources.js';
import { parseDryRun } from '../write-options.js';

/** Of an envelope; the document in it is at most 64 KiB. */
const ENVELOPE_BYTES_MAX = 128 * 1024;
const FLAGS = ['prepare', 'finish', 'force'] as const;
const ROLES: readonly string[] = ['root', 'release', 'hub', 'tls'] satisfies RotatedRole[];

function served({ spec, status }: RootObject): object {
  const metadata = { name: 'root', generation: spec.version, creationTimestamp: spec.issued };
  return { apiVersion: API_VERSION.Root, kind: 'Root', metadata, spec, status };
}

/** Throws BadRequest and Invalid. */
export function parseRotation(value: unknown): RotationRequest {
  const body = fieldsAt(value, '');
  checkKind(body, API_VERSION.Root, 'KeyRotation');
  refuseUnknown(body, ['apiVersion', 'kind', 'spec'], '');
  const spec = fieldsAt(body['spec'], 'spec');
  refuseUnknown(spec, ['role', ...FLAGS], 'spec');
  const { role, prepare = false, finish = false, force = false } = spec;
  const flags = { prepare, finish, force };
  const isRole = (word: unknown): word is RotatedRole => ROLES.includes(word as string);
  const causes = [
    ...(isRole(role)
      ? []
      : [{ field: 'spec.role', message: `must be one of ${ROLES.join(', ')}` }]),
    ...FLAGS.filter(name => typeof flags[name] !== 'boolean').map(name => ({
      field: `spec.${name}`,
      message: 'must be true or false',
    })),
  ];
  refuseCauses('KeyRotation.flotilla.dev', causes);
  if (!isRole(role)) throw new RequestError('Invalid', 'no such role');
  return { role, prepare: prepare === true, finish: finish === true, force: force === true };
}

export function rootRoutes(roots: RootWriter): readonly Route[] {
  const path = `${groupPath(GROUP)}/root`;
  const common = { access: 'admin', subject: { group: GROUP, resource: 'root' } } as const;
  return [
    { ...common, method: 'GET', path, handle: async () => json(served(await roots.current())) },
    {
      ...common,
      method: 'POST',
      path,
      handle: async (request: ApiRequest) => {
        const envelope = await request.body(ENVELOPE_BYTES_MAX);
        const dryRun = parseDryRun(request.query);
        return json(served(await roots.publish(request.actor, envelope, { dryRun })));
      },
    },
    {
      ...common,
      method: 'POST',
      path: `${path}/rotate`,
      handle: async (request: ApiRequest) => {
        const asked = parseRotation(await request.json());
        const status = await roots.rotate(request.actor, asked);
        return json({ apiVersion: API_VERSION.Root, kind: 'KeyRotation', spec: asked, status });
      },
    },
  ];
}
