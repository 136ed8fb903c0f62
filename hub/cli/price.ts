/** Asks the hub what a change costs, and says it. What fails here fails nothing else: a diff is a diff without its price. */
import { CliError } from '../../protocol/cli-error.js';
import type { NodePrice } from '../foresight/price.js';
import type { ImageSizes } from '../foresight/images.js';
import type { BundleContent } from '../rollout/revise.js';
import type { Connected, Context } from './context.js';
import { pathOf, resourceOf } from './resources.js';
import { nodePriceLines, priceLines } from './price-text.js';

export interface Priced extends BundleContent {
  readonly nodeSelector: string;
  /** As registries said them; left out: nobody asked. */
  readonly sizes?: ImageSizes;
}

export async function askPrice(
  { client }: Pick<Connected, 'client'>,
  { name, namespace, sizes = new Map<string, never>(), ...priced }: Priced,
): Promise<readonly NodePrice[]> {
  const { images, ...spec } = priced;
  const bound = images.length > 0 ? { images } : {};
  const metadata = { name, namespace };
  const bundle = { apiVersion: 'flotilla.dev/v1', kind: 'Bundle', metadata };
  const { nodes } = await client.call<{ readonly nodes: readonly NodePrice[] }>({
    method: 'POST',
    path: `${pathOf(resourceOf('bundles'), namespace, name)}/price`,
    body: {
      bundle: { ...bundle, spec: { ...spec, ...bound } },
      sizes: Object.fromEntries(
        [...sizes].map(([image, rows]) => [image, Object.fromEntries(rows)]),
      ),
    },
  });
  return nodes;
}

/** For people; `node`: of that one alone, null: of all. Throws `CliError` for a node that it does not concern. */
export function priceText(prices: readonly NodePrice[], node: string | null): string[] {
  if (node === null) return priceLines(prices);
  const found = prices.find(one => one.node === node);
  if (found) return nodePriceLines(found);
  throw new CliError('refused', `node ${node} neither has the bundle nor would get it`);
}

export interface PriceOptions {
  readonly output?: string;
  readonly node?: string;
}

/** To stdout; JSON, or lines for people. `print`: where those go. What the hub refuses is one of them, for a dry run is one without its price. */
export async function printPrice(
  { terminal }: Context,
  hub: Pick<Connected, 'client'>,
  priced: Priced,
  {
    output,
    node,
    print = line => terminal.print(line),
  }: PriceOptions & {
    readonly print?: (line: string) => void;
  },
): Promise<void> {
  if (output !== undefined) {
    const prices = await askPrice(hub, priced);
    const own = node === undefined ? prices : prices.filter(one => one.node === node);
    return terminal.write(priceJson(own));
  }
  const prices = await askPrice(hub, priced).catch((error: unknown) => {
    if (!(error instanceof CliError)) throw error;
    print(`what it costs is unknown: ${error.message}`);
    return null;
  });
  for (const line of prices === null ? [] : priceText(prices, node ?? null)) print(line);
}

/** Lines go to stderr. */
export function withoutLines(context: Context): Context {
  const { terminal } = context;
  const print = (line: string) => terminal.warn(line);
  return { ...context, terminal: { ...terminal, print } };
}

/** For programs. */
export function priceJson(prices: readonly NodePrice[]): string {
  const list = { kind: 'PriceList', apiVersion: 'flotilla.dev/v1', nodes: prices };
  return `${JSON.stringify(list, null, 2)}\n`;
}
