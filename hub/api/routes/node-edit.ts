/** Changes of Nodes by people: `kubectl label`, `annotate`, `cordon`, `uncordon`, `drain`, `patch`, `edit`, `replace`. */
import { canonicalJson } from '../../../protocol/canonical.js';
import type { NodeEdited, NodeEditor } from '../../enrolment/edit-node.js';
import type { NodeWish } from '../../enrolment/node-wish.js';
import type { NodeObject } from '../../objects.js';
import { RequestError } from '../../ports.js';
import { toApiObject } from '../api-object.js';
import {
  checkKind,
  fieldsAt,
  labelMap,
  refuseCauses,
  refuseUnknown,
  stringMap,
  type Cause,
  type Fields,
} from '../body-fields.js';
import { checkPatchType, mergePatch, refuseDirectives, STRATEGIC_PATCH } from '../merge-patch.js';
import { param, type Answer, type ApiRequest, type Route } from '../request.js';
import { groupPath, NODES } from '../resources.js';
import { checkPreconditions, parseDryRun } from '../write-options.js';

const SUBJECT = { group: NODES.group, resource: NODES.name };
const META = [
  ...['name', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'labels'],
  ...['annotations', 'managedFields', 'selfLink'],
];

/** Of the body, which is the whole Node as it is meant to be. Its status is passed over: that the device says. */
function nodeWish(body: unknown, { metadata, spec }: NodeObject): NodeWish {
  const wanted = fieldsAt(body, '');
  checkKind(wanted, 'v1', 'Node');
  refuseUnknown(wanted, ['apiVersion', 'kind', 'metadata', 'spec', 'status'], '');
  const meta = fieldsAt(wanted['metadata'], 'metadata');
  refuseUnknown(meta, META, 'metadata');
  const { name = metadata.name, uid, resourceVersion } = meta;
  if (name !== metadata.name) {
    throw new RequestError('BadRequest', `metadata.name: the path says "${metadata.name}"`);
  }
  checkPreconditions({ uid: text(uid), resourceVersion: text(resourceVersion) }, metadata);
  const causes: Cause[] = [];
  const wish = {
    labels: labelMap(meta['labels'], 'metadata.labels', causes),
    annotations: stringMap(meta['annotations'], 'metadata.annotations', causes),
    unschedulable: unschedulableIn(fieldsAt(wanted['spec'], 'spec'), spec, causes),
  };
  refuseCauses(`Node "${metadata.name}"`, causes);
  return wish;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

const NO_TAINTS =
  'nodes have no taints here: which nodes run a bundle is said by its selector over their labels, and cordon keeps new things away';

function unschedulableIn(wanted: Fields, spec: NodeObject['spec'], causes: Cause[]): boolean {
  const { unschedulable = false, ...rest } = wanted;
  if (typeof unschedulable !== 'boolean')
    causes.push({ field: 'spec.unschedulable', message: 'must be true or false' });
  const kept = new Map(Object.entries(spec));
  for (const [key, value] of Object.entries(rest)) {
    if (Array.isArray(value) && value.length === 0) continue;
    if (canonicalJson(value) === canonicalJson(kept.get(key) ?? null)) continue;
    const message = key === 'taints' ? NO_TAINTS : 'is not kept of a node here';
    causes.push({ field: `spec.${key}`, message });
  }
  return unschedulable === true;
}

const NAMED = 8;

function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}

/** What follows from it that is easily overlooked. */
export function editWarnings(
  name: string,
  { before, after, comes, leaves }: Omit<NodeEdited, 'object'>,
): string[] {
  const later = after.unschedulable ? ', when it is uncordoned' : '';
  return [
    ...(leaves.length > 0 ? [`by these labels ${name} loses bundle ${list(leaves)}`] : []),
    ...(comes.length > 0 ? [`by these labels ${name} gets bundle ${list(comes)}${later}`] : []),
    ...(after.unschedulable && !before.unschedulable
      ? [
          `${name} begins nothing new until it is uncordoned; what runs there goes on, and no drain ends it: its pods are mirrors`,
        ]
      : []),
  ];
}

export function nodeEditRoutes({
  nodeEditor,
}: {
  readonly nodeEditor: NodeEditor;
}): readonly Route[] {
  const edited = async (
    request: ApiRequest,
    wanted: (node: NodeObject) => NodeWish,
  ): Promise<Answer> => {
    const name = param(request, 'name');
    const dryRun = parseDryRun(request.query);
    const done = await nodeEditor.edit(request.actor, { name, dryRun, wanted });
    const body = toApiObject(done.object);
    return { type: 'json', code: 200, body, warnings: editWarnings(name, done) };
  };
  const patch = async (request: ApiRequest) => {
    checkPatchType(request.contentType);
    const body = await request.json(request.contentType);
    if (request.contentType === STRATEGIC_PATCH) refuseDirectives(body);
    return edited(request, node => nodeWish(mergePatch(toApiObject(node), body), node));
  };
  const replace = async (request: ApiRequest) => {
    const body = await request.json();
    return edited(request, node => nodeWish(body, node));
  };
  const path = `${groupPath(NODES.group)}/nodes/:name`;
  const common = { path, access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, method: 'PATCH', handle: patch },
    { ...common, method: 'PUT', handle: replace },
  ];
}
