/** What containers said last where a revision was given up: one node for each reason, so that a fleet does not flood the terminal. */
import { quotedLines } from '../../protocol/last-words.js';
import type { SpokenWords } from '../last-words/last-words.js';
import { ApiError, type ApiClient } from './client.js';
import { pathOf, resourceOf } from './resources.js';
import type { RolloutProgress } from './rollout-progress.js';

/** Reasons that are asked for, the most frequent ones. */
const REASONS = 12;
/** Of each: the first that has words is shown. */
const NODES_OF_A_REASON = 5;

/** By node. */
export type WordsByNode = ReadonlyMap<string, SpokenWords>;

export async function askLastWords(
  client: ApiClient,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  nodes: readonly string[],
): Promise<WordsByNode> {
  if (nodes.length === 0) return new Map();
  const path = `${pathOf(resourceOf('bundles'), namespace, name)}/lastwords`;
  try {
    const query = { nodes: nodes.join(',') };
    const { items } = await client.call<{ items: SpokenWords[] }>({ path, query });
    return new Map(items.map(one => [one.node, one]));
  } catch (error) {
    // An older hub does not know the question.
    if (error instanceof ApiError && error.reason === 'NotFound') return new Map();
    throw error;
  }
}

export function nodesToAsk({ failures }: Pick<RolloutProgress, 'failures'>): string[] {
  const asked = failures.filter(({ isUndone }) => !isUndone).slice(0, REASONS);
  return asked.flatMap(({ nodes }) => nodes.slice(0, NODES_OF_A_REASON));
}

/** Of the first of these nodes that has words; else why those of one cannot be read. */
export function wordsText(words: WordsByNode, nodes: readonly string[]): string[] {
  const said = nodes.flatMap(node => words.get(node) ?? []);
  const shown = said.find(one => 'text' in one) ?? said[0];
  if (shown === undefined) return [];
  if ('fault' in shown) return [`    last words on ${shown.node}: ${shown.fault}`];
  const { node, pod, container, text } = shown;
  const [where = ''] = quotedLines(`${pod} (${container})`, '');
  return [`    last words on ${node}, ${where.slice(2)}:`, ...quotedLines(text, '    ')];
}
