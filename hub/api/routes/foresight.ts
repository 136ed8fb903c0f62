/** What a change would cost, and what a rehearsal of it begins from: writes nothing. */
import { RequestError } from '../../ports.js';
import type { Foresight } from '../../foresight/foresight.js';
import type { ImageSizes } from '../../foresight/images.js';
import { parseBundle } from '../bundle-body.js';
import { fieldsAt, isFields, refuseUnknown } from '../body-fields.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { BUNDLES, groupPath } from '../resources.js';

const SUBJECT = { group: BUNDLES.group, resource: BUNDLES.name };
/** A bundle has no more. */
const SIZES_MAX = 1024;

export interface ForesightParts {
  readonly foresight: Foresight;
}

/** Body: `{bundle, sizes: {image: {architecture: bytes}}}`, the bundle as an apply sends it. */
function price({ foresight }: ForesightParts) {
  return async (request: ApiRequest) => {
    const [namespace, name] = [param(request, 'namespace'), param(request, 'name')];
    const body = fieldsAt(await request.json(), '');
    refuseUnknown(body, ['bundle', 'sizes'], '');
    const { spec } = parseBundle(body['bundle'], { namespace, name });
    const nodes = await foresight.price({ namespace, name, spec, sizes: sizesIn(body['sizes']) });
    return json({ kind: 'PriceList', apiVersion: 'flotilla.dev/v1', nodes });
  };
}

/** `nodeSelector` in the query: another than the bundle's. */
function basis({ foresight }: ForesightParts) {
  return async (request: ApiRequest) => {
    const [namespace, name] = [param(request, 'namespace'), param(request, 'name')];
    const nodeSelector = request.query.get('nodeSelector');
    const found = await foresight.basis({ namespace, name, nodeSelector });
    return json({ kind: 'RehearsalBasis', apiVersion: 'flotilla.dev/v1', ...found });
  };
}

function sizesIn(value: unknown): ImageSizes {
  const entries = Object.entries(fieldsAt(value, 'sizes'));
  const refuse = (): never => {
    const shape = 'must be {image: {architecture: bytes}}';
    throw new RequestError('BadRequest', `sizes: ${shape}, at most ${SIZES_MAX} images`);
  };
  if (entries.length > SIZES_MAX) refuse();
  return new Map(
    entries.map(([image, sizes]) => {
      const rows = isFields(sizes) ? Object.entries(sizes) : refuse();
      const isSize = ([, size]: [string, unknown]) =>
        Number.isSafeInteger(size) && Number(size) >= 0;
      if (!rows.every(isSize)) refuse();
      return [image, new Map(rows as [string, number][])];
    }),
  );
}

export function foresightRoutes(parts: ForesightParts): readonly Route[] {
  const path = `${groupPath(BUNDLES.group)}/namespaces/:namespace/bundles/:name`;
  const common = { access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, method: 'POST', path: `${path}/price`, handle: price(parts) },
    { ...common, method: 'GET', path: `${path}/rehearsal`, handle: basis(parts) },
  ];
}
