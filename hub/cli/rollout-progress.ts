/** How far a rollout is, as one value, and how it is said. Pure. */
import type { BundleStatus } from '../../protocol/documents/node.js';
import { CLONE_SUSPECTED, isMember } from '../enrolment/standing-conditions.js';
import { AHEAD_OF_HUB } from '../ingest/ahead-of-hub.js';
import { matches, parseSelector } from '../selectors.js';
import { HELD_ANNOTATION } from '../recovery/held-annotation.js';
import type { BundleAttempt, BundleObjectStatus, BundleSpec, NodeExtra } from '../objects.js';
import { cordonText } from '../rollout/cordon.js';
import { fateOf } from '../rollout/fate.js';
import { isRetried } from '../rollout/retried.js';
import type { ApiObject } from './client.js';
import { wordsText, type WordsByNode } from './last-words.js';
import { namedUpTo } from './counted-names.js';
import { barOf } from './progress-bar.js';

export interface NodeView {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Neither waits for approval nor is shut out: others are no part of a rollout. */
  readonly member: boolean;
  readonly online: boolean;
  /** Seems to be cloned: it is given nothing new until a person has looked. */
  readonly held: boolean;
  /** People keep new things away from it. */
  readonly cordoned?: boolean;
  /** Refuses what this hub says: it has what the hub never made. */
  readonly ahead: boolean;
  /** What it said last of an assignment that it refused. */
  readonly refused: string | null;
  /** What it says of its disk, where a newer assignment waits in its memory, or nothing can be written. */
  readonly noRoom?: string | null;
  readonly bundles: readonly BundleStatus[];
  readonly retried: readonly BundleAttempt[];
}

export interface RolloutProgress {
  readonly revision: number;
  /** The root lets no node begin with the revision: reason, and what to do. */
  readonly withdrawn: { readonly reason: string; readonly message: string } | null;
  /** Of the bundle; empty: every node. */
  readonly selector: string;
  readonly desired: number;
  readonly updated: number;
  readonly healthy: number;
  readonly failed: number;
  /** Where a person at the device went back from it: no failure, and not tried again either. */
  readonly undone: number;
  /** Of those that are open: nobody tells them how it is. */
  readonly unknown: number;
  readonly offline: number;
  /** Of those that are open: they do not begin with it, nobody waits for them. */
  readonly cordoned: number;
  /** Reason and message to the nodes that say so, most frequent first. */
  readonly failures: readonly Failure[];
  /** Nodes that are neither healthy nor failed, with what is known of them. */
  readonly open: readonly { readonly node: string; readonly text: string }[];
}

interface Failure {
  readonly text: string;
  readonly nodes: readonly string[];
  readonly isUndone: boolean;
}

export function nodeViewOf(node: ApiObject): NodeView {
  const status = node.status as
    { conditions?: NodeCondition[]; flotilla?: Partial<NodeExtra> } | undefined;
  return {
    name: node.metadata.name,
    labels: node.metadata.labels ?? {},
    member: isMember(status?.conditions),
    online: status?.conditions?.some(c => c.type === 'Ready' && c.status !== 'Unknown') ?? false,
    held: status?.conditions?.some(c => c.type === CLONE_SUSPECTED && c.status === 'True') ?? false,
    cordoned: (node.spec as { unschedulable?: boolean } | undefined)?.unschedulable === true,
    ahead: status?.conditions?.some(c => c.type === AHEAD_OF_HUB && c.status === 'True') ?? false,
    bundles: status?.flotilla?.bundles ?? [],
    refused: refusedText(node.metadata.name, status?.flotilla?.lastRefusal ?? null),
    noRoom: noRoomText(status?.conditions ?? []),
    retried: status?.flotilla?.retried ?? [],
  };
}

interface NodeCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** Null: nothing of the kind. */
function noRoomText(conditions: readonly NodeCondition[]): string | null {
  const isTold = ({ type, status }: NodeCondition) =>
    (type === 'NewerWaiting' && status === 'True') ||
    (type === 'JournalWritable' && status === 'False');
  const told = conditions.filter(isTold);
  if (told.length === 0) return null;
  return told.map(c => `${c.type} ${c.status} (${c.reason ?? ''}): ${c.message ?? ''}`).join('; ');
}

/** Of its assignment alone: what somebody else sent it stands in no rollout's way. */
function refusedText(node: string, refusal: NodeExtra['lastRefusal']): string | null {
  if (refusal?.topic !== `node/${node}/assignment`) return null;
  const { code, detail, at } = refusal;
  return `it refused an assignment at ${at.slice(0, 19)}Z: ${code}: ${detail}`;
}

/** Judged by what the nodes themselves say of exactly this revision. */
export function progressOf(
  bundle: ApiObject & { spec: BundleSpec; status?: BundleObjectStatus },
  nodes: readonly NodeView[],
): RolloutProgress {
  const { namespace = '', name } = bundle.metadata;
  const { revision = 0, digest = '' } = bundle.status ?? {};
  const withdrawn = bundle.status?.conditions?.find(c => c.type === 'Withdrawn');
  const isHeld = Object.hasOwn(bundle.metadata.annotations ?? {}, HELD_ANNOTATION);
  const selector = parseSelector(bundle.spec.nodeSelector);
  const selected = nodes.filter(node => node.member && matches(selector, node.labels));
  const failures = new Map<string, { nodes: string[]; isUndone: boolean }>();
  const open: { node: string; text: string }[] = [];
  let updated = 0;
  let healthy = 0;
  let failed = 0;
  let undone = 0;
  let unknown = 0;
  let cordoned = 0;
  for (const node of selected) {
    const state = node.bundles.find(b => b.namespace === namespace && b.name === name);
    const current = state?.revision === revision ? state : undefined;
    const fate = current ? fateOf(current) : null;
    if (current?.active === digest) updated++;
    if (isRetried(node.retried, { namespace, name, digest }))
      open.push({ node: node.name, text: node.online ? 'is to try it again' : 'offline' });
    else if (fate === 'healthy') healthy++;
    else if (current && (fate === 'failed' || fate === 'undone')) {
      const isUndone = fate === 'undone';
      if (isUndone) undone++;
      else failed++;
      const text = reasonText(current);
      const { nodes: others } = failures.get(text) ?? { nodes: [] };
      failures.set(text, { nodes: [...others, node.name], isUndone });
    } else {
      if (fate === 'unknown') unknown++;
      const isOut = !current && node.cordoned === true;
      if (isOut) cordoned++;
      const doing = current
        ? `${current.state}${current.reason ? ` (${reasonText(current)})` : ''}`
        : ['has not reported it yet', node.refused, node.noRoom].filter(Boolean).join('; ');
      const held = current
        ? null
        : (heldText(node) ??
          (isOut ? cordonText(node.name) : null) ??
          (isHeld ? BUNDLE_HELD : null));
      open.push({ node: node.name, text: held ?? (node.online ? doing : 'offline') });
    }
  }
  return {
    revision,
    withdrawn: withdrawn ? { reason: withdrawn.reason, message: withdrawn.message } : null,
    selector: bundle.spec.nodeSelector,
    desired: selected.length,
    updated,
    healthy,
    failed,
    undone,
    unknown,
    offline: selected.filter(node => !node.online).length,
    cordoned,
    failures: [...failures]
      .map(([text, one]) => ({ text, ...one }))
      .sort((a, b) => b.nodes.length - a.nodes.length),
    open,
  };
}

const BUNDLE_HELD = 'the bundle is held since the hub was restored: apply it again';

function heldText({ name, held, ahead }: NodeView): string | null {
  if (ahead) return `AheadOfHub: \`flotilla describe node ${name}\` says what to do`;
  if (!held) return null;
  return `CloneSuspected: gets nothing new until \`flotilla node approve ${name}\` or \`revoke\``;
}

function reasonText({ reason, message }: BundleStatus): string {
  return `${reason}${message ? `: ${message}` : ''}`;
}

/** The bundle's own counts say the same: the hub counts at most once a second. */
export function isCounted(status: BundleObjectStatus | undefined, now: RolloutProgress): boolean {
  if (!status) return true;
  const { desired, updated, healthy, failed, offline } = status.nodes;
  const counts = { desired, updated, healthy, failed, offline };
  return Object.entries(counts).every(([name, n]) => now[name as keyof typeof counts] === n);
}

/** `unknown`: nothing is left to come but the word of nodes that cannot know. */
export type Verdict = 'waiting' | 'healthy' | 'failed' | 'unknown';

/**
 * Failed only when no node is left that may still become healthy. A withdrawn revision never arrives anywhere: what merely
 * lacks signatures is good where all nodes have it already, what the root denies is not.
 */
export function verdictOf(progress: RolloutProgress): Verdict {
  const { withdrawn, healthy, desired } = progress;
  if (withdrawn !== null && (withdrawn.reason !== 'NotSigned' || healthy < desired)) {
    return 'failed';
  }
  const { failed, undone, unknown, cordoned, open } = progress;
  if (healthy + cordoned === desired) return 'healthy';
  if (open.length > unknown + cordoned) return 'waiting';
  if (failed + undone > 0) return 'failed';
  return unknown > 0 ? 'unknown' : 'waiting';
}

export function progressLine(name: string, p: RolloutProgress): string {
  const rest = [
    p.failed > 0 ? `${p.failed} failed` : '',
    p.undone > 0 ? `${p.undone} undone at the device` : '',
    p.unknown > 0 ? `${p.unknown} unknown` : '',
    p.offline > 0 ? `${p.offline} offline` : '',
    p.cordoned > 0 ? `${p.cordoned} cordoned` : '',
  ].filter(text => text !== '');
  const tail = rest.length > 0 ? `, ${rest.join(', ')}` : '';
  const told = p.withdrawn === null ? '' : ` withdrawn (${p.withdrawn.reason})`;
  return `bundle/${name} revision ${p.revision}${told}: ${p.healthy} of ${p.desired} nodes healthy, ${p.updated} updated${tail}`;
}

/** A bundle that nobody runs is no failure, and rarely what was meant. */
export function nowhereText(name: string, selector: string): string {
  const why =
    selector === ''
      ? 'no node has joined yet (flotilla token create)'
      : `no node matches "${selector}" (labels: flotilla get nodes --show-labels)`;
  return `warning: bundle/${name} runs nowhere: ${why}`;
}

/** Nodes do not try again by themselves what they gave up. */
export function retryHint(name: string, namespace: string): string {
  return `apply a mended revision, or let them try this one again: flotilla rollout retry bundle/${name} -n ${namespace}`;
}

/** What was undone by hand alone, people there take back: they know why they did it. */
export function mendHint(
  { failed, undone }: Pick<RolloutProgress, 'failed' | 'undone'>,
  { name, namespace }: { readonly name: string; readonly namespace: string },
): string {
  const retry = retryHint(name, namespace);
  if (failed > 0 || undone === 0) return retry;
  return `at the device flotilla-agent redo ${name} takes it back; or ${retry}`;
}

export function progressBar(p: RolloutProgress, width: number): string {
  const room = Math.max(10, Math.min(40, width - 30));
  const { healthy: done, failed, updated, desired: of } = p;
  return `${barOf({ done, failed, moving: updated - done - failed, of }, room)} ${done}/${of}`;
}

/** What waits for something that may never come, as `obstacleLines` has it, with the reason. */
export function standstills(p: RolloutProgress): { reason: string; text: string }[] {
  return obstacleLines(p).flatMap(text => {
    const [, reason] = /: waiting \((\w+)/.exec(text) ?? [];
    return reason === undefined || reason === 'Fetching' ? [] : [{ reason, text }];
  });
}

const NODES_NAMED = 5;

/** What stands in the way, a line per reason, with what a container of it said last; long lists of nodes are cut. */
export function obstacleLines(p: RolloutProgress, words: WordsByNode = new Map()): string[] {
  const names = (nodes: readonly string[]) => namedUpTo(nodes, NODES_NAMED);
  const open = new Map<string, string[]>();
  for (const { node, text } of p.open) open.set(text, [...(open.get(text) ?? []), node]);
  return [
    ...(p.withdrawn === null
      ? []
      : [`  withdrawn (${p.withdrawn.reason}): ${p.withdrawn.message}`]),
    ...p.failures.flatMap(f => [
      `  ${f.isUndone ? 'undone' : 'failed'} on ${names(f.nodes)}: ${f.text}`,
      ...wordsText(words, f.nodes),
    ]),
    ...[...open].map(([text, nodes]) => `  ${names(nodes)}: ${text}`),
  ];
}
