/** What of a plan is probably not as it was meant: a wave that nobody is in. Warned of, not refused: nodes may come. */
import { matches, parseSelector } from '../selectors.js';
import { waveText, type RolloutPlan } from '../rollout/waves/plan.js';
import type { ApiList } from './client.js';
import type { Connected } from './context.js';
import { pathOf, resourceOf } from './resources.js';
import { nodeViewOf, type NodeView } from './rollout-progress.js';

/** Waves by labels that no member among those whom the bundle selects has, a line each. Pure. */
export function emptyWaves(
  { waves }: Pick<RolloutPlan, 'waves'>,
  selector: string,
  nodes: readonly Pick<NodeView, 'labels' | 'member'>[],
): string[] {
  const selected = parseSelector(selector);
  const fleet = nodes.filter(({ member, labels }) => member && matches(selected, labels));
  return waves.flatMap((wave, i) => {
    if (!('selector' in wave)) return [];
    const own = parseSelector(wave.selector);
    if (fleet.some(({ labels }) => matches(own, labels))) return [];
    const which = `wave ${i + 1} of ${waves.length} (${waveText(wave)})`;
    return `Warning: ${which}: no node of the bundle has these labels now; without one it waits for \`flotilla rollout promote\``;
  });
}

/** Asks for nodes only where a wave goes by labels. */
export async function planWarnings(
  { client }: Pick<Connected, 'client'>,
  plan: RolloutPlan | null,
  selector: string,
): Promise<string[]> {
  if (plan?.waves.some(wave => 'selector' in wave) !== true) return [];
  const labelSelector = selector === '' ? undefined : selector;
  const call = { path: pathOf(resourceOf('nodes'), null), query: { labelSelector } };
  const { items } = await client.call<ApiList>(call);
  return emptyWaves(plan, selector, items.map(nodeViewOf));
}
