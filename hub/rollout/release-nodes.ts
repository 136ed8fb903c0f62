/** Where nodes wait for a person (`onDelete`): that person lets some of them begin. One transaction; saying it twice changes nothing. */
import { retried } from '../store/retry.js';
import type { Actor, Mutation } from '../store/store.js';
import { readRollout } from './read-rollout.js';
import type { ReassignParts } from './reassign.js';
import { memberOf } from './waves/member.js';
import { spokenOf, wordText } from './waves/verbs.js';

/** In one line of the audit log. */
const NAMED = 10;

export interface Release {
  readonly namespace: string;
  readonly name: string;
  readonly nodes: readonly string[];
  /** May be empty. */
  readonly reason: string;
}

/** Names of those that waited for it; none where the bundle's newest revision has no such rollout under way. */
export function releaseNodes(
  parts: Pick<ReassignParts, 'store' | 'root' | 'clock'>,
  actor: Actor,
  { namespace, name, nodes, reason }: Release,
): Promise<string[]> {
  return retried(async () => {
    const read = await readRollout(parts, { namespace, name });
    if (!read) return [];
    const { object, fleet, rows } = read;
    const { phase } = object.status;
    if (phase === 'completed' || phase === 'aborted' || object.spec.aborted !== null) return [];
    const now = parts.clock.now();
    const meant = new Set(nodes);
    const waiting = fleet
      .map(node => memberOf(object, node, { row: rows.get(node.name), now }))
      .filter(({ node, needsPerson }) => needsPerson && meant.has(node.name));
    if (waiting.length === 0) return [];
    const said = { by: actor.name, at: new Date(now).toISOString(), reason };
    const { kind, metadata, spec, status } = object;
    const { labels, annotations, resourceVersion } = metadata;
    const draft = { kind, metadata: { namespace, name, labels, annotations }, status };
    const words = spokenOf(spec, { verb: 'activate', ...said });
    const released = waiting.map(({ node, row }): Mutation => {
      const untold = { wave: -1, toldAt: null, isBack: false, isExcused: false, obstacle: null };
      const record = { ...untold, ...row, node: node.name, isReleased: true };
      return { type: 'rolloutNode', namespace, bundle: name, record };
    });
    const put: Mutation = {
      type: 'put',
      object: { ...draft, spec: { ...spec, words } },
      expect: { resourceVersion },
      wish: wordText({ verb: activateText(waiting), reason }),
    };
    await parts.store.commit(actor, [put, ...released]);
    return waiting.map(({ node }) => node.name);
  });
}

/** Assignments say nothing of those that wait: this line names them. */
function activateText(waiting: readonly { readonly node: { readonly name: string } }[]): string {
  const names = waiting.map(({ node }) => node.name).sort();
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `activate --now: ${names.slice(0, NAMED).join(', ')}${more}`;
}
