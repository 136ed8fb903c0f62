/** What a node answered in a file goes the way of what it says over MQTT: verified, ordered and recorded by the ingest. */
import type { CarriedMessage } from '../../protocol/carried.js';
import { topicsOf, type Address } from '../../protocol/topics.js';
import type { Ingest } from '../ingest/ingest-parts.js';
import type { NodeMessage } from '../link/messages.js';
import { RequestError } from '../ports.js';

/** Not a presence: nobody is there because a file came. */
const KINDS = ['status', 'pod', 'event', 'request'] as const;
/** What the hub says: an export for nodes holds it. */
const OF_HUB: ReadonlySet<Address['kind'] | undefined> = new Set(['root', 'assignment', 'blob']);
/** Below what the ingest keeps waiting for a node. */
const BATCH = 500;

export async function receiveCarried(
  {
    fleet,
    ingest,
  }: { readonly fleet: string; readonly ingest: Pick<Ingest, 'receive' | 'recorded'> },
  receipt: { readonly fleet: string; readonly messages: readonly CarriedMessage[] },
): Promise<readonly string[]> {
  if (receipt.fleet !== fleet) {
    throw new RequestError('Invalid', `the receipt is of fleet ${receipt.fleet}, not of this one`);
  }
  const topics = topicsOf(fleet);
  const found = receipt.messages.flatMap(({ topic, payload }): NodeMessage[] => {
    const address = topics.parse(topic);
    const kind = KINDS.find(one => one === address?.kind);
    if (!kind || !address || !('node' in address)) return [];
    return [{ kind, node: address.node, payload, retained: true }];
  });
  if (found.length === 0) {
    const isExport = receipt.messages.some(({ topic }) => OF_HUB.has(topics.parse(topic)?.kind));
    const what = isExport
      ? 'it is an export for nodes, no receipt of one: `flotilla-agent import` takes it there, and writes the receipt'
      : 'the receipt holds no word of a node';
    throw new RequestError('Invalid', what);
  }
  const nodes = [...new Set(found.map(({ node }) => node))];
  for (let at = 0; at < found.length; at += BATCH) {
    for (const message of found.slice(at, at + BATCH)) ingest.receive(message);
    for (const node of nodes) await ingest.recorded(node);
  }
  return nodes;
}
