/** The text of `flotilla describe`, laid out as kubectl does. Pure. */
import type { BundleStatus } from '../../protocol/documents/node.js';
import type {
  BundleObjectStatus,
  BundleSpec,
  EventSpec,
  NodeExtra,
  PodExtra,
  TokenSpec,
  TokenStatus,
} from '../objects.js';
import { isConfigMap, isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import { bundleStateText } from '../../protocol/bundle-state-text.js';
import { declaredParameters } from '../../protocol/node-parameters.js';
import { keyId } from '../../protocol/keys.js';
import type { ApiObject } from './client.js';
import { localText } from '../pod-source.js';
import { planText } from './plan-options.js';
import type { NodeParametersView } from '../rollout/node-parameters.js';
import { parameterText } from './node-parameters.js';
import { phaseText, waveLines, wordLines, type RolloutView } from './rollout-view.js';
import type { WordsByNode } from './last-words.js';
import { nodeViewOf, obstacleLines, progressLine, progressOf } from './rollout-progress.js';
import { ageText, layOut } from '../../protocol/columns.js';
import { reportedCounts, usageLines } from '../../protocol/usage.js';
import { humanDuration } from '../../protocol/human-duration.js';
import { budgetLines } from '../../protocol/budget.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { strategyText } from './strategy-options.js';
import {
  conditionLines,
  eventLines,
  fields,
  indent,
  pairs,
  podLines,
  type ConditionLike,
  type DescribedPod,
} from '../../protocol/description.js';

interface Described {
  readonly object: ApiObject;
  readonly events: readonly ApiObject[];
  /** For a bundle: every node. */
  readonly nodes: readonly ApiObject[];
  /** For a bundle that has one. */
  readonly rollout: RolloutView | null;
  /** For a bundle: what containers of it said last where it failed. */
  readonly words?: WordsByNode;
  /** For a node: the version in force in the fleet. */
  readonly fleetRoot: number | null;
  /** For a node that was let in: what its pods may see. */
  readonly parameters: NodeParametersView | null;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export function describeObject(input: Described): string[] {
  const { object, now } = input;
  const { metadata } = object;
  const events = input.events.map(event => event as unknown as EventSpec);
  const head = fields([
    ['Name', metadata.name],
    ...(metadata.namespace === undefined ? [] : [['Namespace', metadata.namespace] as const]),
    ['Labels', pairs(metadata.labels)],
    ['Annotations', pairs(metadata.annotations)],
    ['Created', metadata.creationTimestamp ?? ''],
  ]);
  return [...head, ...body(input), ...eventLines(events, now)];
}

function body(input: Described): string[] {
  if (input.object.kind === 'Node') return nodeLines(input);
  if (input.object.kind === 'Bundle') return bundleLines(input);
  if (input.object.kind === 'Token') return tokenLines(input.object);
  return podText(input.object);
}

/** Whose word the fields of a Node are. */
function provenance(extra: NodeExtra | undefined): [string, string][] {
  const { said, journal } = extra ?? {};
  if (said === undefined) return [];
  const added =
    said.clockOffset === null ? '' : `, ${said.clockOffset / 1000} s added to its clock`;
  return [
    [
      'Told by the node',
      `all but what the hub concludes, as of ${said.at} by the node's time${added}`,
    ],
    [
      'Signed by',
      [
        said.signedBy,
        `journal ${journal ?? ''}, start ${said.boot}, number ${said.counter}`,
        `journal's row ${said.history.row}, head ${said.history.head ?? 'none'}`,
      ].join('\n'),
    ],
    [
      'Concluded by the hub',
      'Ready, Enrolled, CloneSuspected, AheadOfHub, JournalIntact, Last report',
    ],
    ['Set by people', 'labels, annotations'],
  ];
}

/** Of the day and the month in which it said so. */
function usage({ usage: told, said }: Partial<NodeExtra> = {}): string[] {
  if (told === undefined) return [];
  const { since, linkBudget = null, writeBudget = null } = told;
  const counts = reportedCounts(told);
  const at = Date.parse(said?.at ?? since);
  const budgets = budgetLines(counts, { link: linkBudget, writes: writeBudget }, at);
  return [...usageLines(since, counts), ...budgets];
}

/** Until when its silence is normal. */
function keepAlive({ keepAliveS }: Partial<NodeExtra> = {}): [string, string][] {
  if (keepAliveS === undefined) return [];
  const gone = humanDuration(keepAliveS * 1500);
  const text = `${humanDuration(keepAliveS * 1000)}; one that vanishes is noticed after ${gone}`;
  return [['Keep-alive', text]];
}

/** What is set, and what bundles ask for that is not. */
function parameterLines(view: NodeParametersView | null): string[] {
  if (view === null) return [];
  const { parameters, lacking } = view;
  const rows = Object.entries(parameters).map(([key, value]) => `${key}=${parameterText(value)}`);
  const asked = lacking.map(
    ({ namespace, name, keys }) =>
      `<no value> ${keys.join(', ')}, asked for by ${namespace}/${name}`,
  );
  const lines = [...rows, ...asked];
  return ['Parameters:', ...indent(lines.length === 0 ? ['<none>'] : lines)];
}

function nodeLines({ object, fleetRoot, parameters, now }: Described): string[] {
  const status = object.status as {
    conditions?: ConditionLike[];
    nodeInfo?: Record<string, string>;
    capacity?: Record<string, string>;
    addresses?: { type: string; address: string }[];
    flotilla?: NodeExtra;
  };
  const extra = status.flotilla;
  const refusal = extra?.lastRefusal;
  const bundles = (extra?.bundles ?? []).map(b => [
    `${b.namespace}/${b.name}`,
    String(b.revision),
    activeText(b),
    bundleStateText(b),
    b.since,
    `${b.reason}${b.message ? `: ${b.message}` : ''}`,
  ]);
  return [
    ...conditionLines(status.conditions ?? []),
    ...fields([
      [
        'Addresses',
        (status.addresses ?? []).map(a => `${a.type} ${a.address}`).join('\n') || '<none>',
      ],
      ['Capacity', pairs(status.capacity)],
      ['System', pairs(status.nodeInfo)],
      [
        'Last report',
        extra?.reportedAt
          ? `${extra.reportedAt} (${ageText(now - Date.parse(extra.reportedAt))} ago)`
          : 'never',
      ],
      ...keepAlive(extra),
      ...provenance(extra),
      ['Assignment', `epoch ${extra?.epoch ?? 0}, generation ${extra?.generation ?? 0}`],
      [
        'Root',
        `version ${extra?.rootVersion ?? 0}${behindText(extra, fleetRoot)}${extra?.development ? ' (development: the hub holds every key)' : ''}`,
      ],
      ['Clock', extra?.clock ?? 'unknown'],
      [
        'Last refusal',
        refusal
          ? `${refusal.code} at ${refusal.at} on ${refusal.topic}: ${refusal.detail}`
          : '<none>',
      ],
    ]),
    ...usage(extra),
    ...parameterLines(parameters),
    'Bundles:',
    ...indent(
      bundles.length === 0
        ? ['<none>']
        : layOut([['Name', 'Revision', 'Runs', 'State', 'Since', 'Reason'], ...bundles]),
    ),
  ];
}

/** The revision that lies in the node's directory: this one, or by its digest a former one. */
function activeText({ active, digest }: BundleStatus): string {
  if (active === null) return '<none>';
  return active === digest ? 'this' : active.slice(0, 12);
}

/** The secret is not among it: it was shown once. */
function tokenLines(object: ApiObject): string[] {
  const { labels, expiresAt, nodes, uses, approve } = object.spec as Omit<TokenSpec, 'secretHash'>;
  const { usedBy } = object.status as TokenStatus;
  const rows = usedBy.map(({ node, identityKey, at }) => [
    node,
    at,
    `sha256:${keyId(identityKey)}`,
  ]);
  return [
    ...fields([
      ['Node labels', pairs(labels)],
      ['Nodes', nodes.join('\n') || '<any>'],
      ['Expires', expiresAt],
      ['Uses', `${usedBy.length} of ${uses}`],
      ['Approval', approve ? 'a person approves each device' : 'none'],
    ]),
    'Used by:',
    ...indent(rows.length === 0 ? ['<nobody>'] : layOut([['Node', 'At', 'Key'], ...rows])),
  ];
}

function behindText(extra: NodeExtra | undefined, fleetRoot: number | null): string {
  const isBehind = fleetRoot !== null && (extra?.rootVersion ?? 0) < fleetRoot;
  return isBehind ? `, behind: the fleet has ${fleetRoot}` : '';
}

function namesOf(manifests: readonly BundleManifest[]): string {
  return manifests.map(({ metadata }) => metadata?.name ?? '').join('\n');
}

function bundleLines({ object, nodes, rollout, words }: Described): string[] {
  const bundle = object as ApiObject & { spec: BundleSpec; status?: BundleObjectStatus };
  const progress = progressOf(bundle, nodes.map(nodeViewOf));
  const configMaps = namesOf(bundle.spec.manifests.filter(isConfigMap));
  const declared = declaredParameters(bundle.spec.manifests.filter(isPod)).map(
    key => `parameter ${key} of each node`,
  );
  const { signedBy, conditions = [] } = bundle.status ?? {};
  return [
    ...conditionLines(conditions),
    ...fields([
      ['Nodes', bundle.spec.nodeSelector === '' ? '<all>' : bundle.spec.nodeSelector],
      ['Revision', String(progress.revision)],
      ['Digest', bundle.status?.digest ?? ''],
      ...(signedBy === undefined
        ? []
        : [['Signed by', signedBy.join('\n') || '<no release key in force>'] as const]),
      ['Pods', namesOf(bundle.spec.manifests.filter(isPod)) || '<none>'],
      ...(configMaps === '' ? [] : [['ConfigMaps', configMaps] as const]),
      ...(declared.length === 0 ? [] : [['Asks for', declared.join('\n')] as const]),
      ['Judged by', strategyText(bundle.spec.strategy ?? DEFAULT_STRATEGY)],
      ['Rolled out', planText(bundle.spec.rollout ?? null)],
      ['Rollout', progressLine(object.metadata.name, progress)],
      ...(rollout === null ? [] : [['Phase', phaseText(rollout)] as const]),
    ]),
    ...(rollout === null ? [] : [...waveLines(rollout), ...wordLines(rollout)]),
    ...obstacleLines(progress, words),
  ];
}

function podText(object: ApiObject): string[] {
  const spec = (object.spec ?? {}) as { nodeName?: string };
  const status = object.status as DescribedPod['status'] & { flotilla?: PodExtra };
  const from = status.flotilla?.bundle;
  const origin = from
    ? `bundle ${from.namespace}/${from.name} revision ${from.revision}`
    : status.flotilla?.source === undefined
      ? ''
      : localText(status.flotilla.source);
  return podLines({ nodeName: spec.nodeName ?? '', origin, status });
}
