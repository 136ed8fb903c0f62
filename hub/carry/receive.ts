/** What a node answered in a file goes the way of what it says over MQTT: verified, ordered and recorded by the ingest. */
import type { CarriedMessage } from '../../protocol/carried.js';
import { topicsOf } from '../../protocol/topics.js';
import type { Ingest } from '../ingest/ingest-parts.js';
import type { NodeMessage } from '../link/messages.js';
import { RequestError } from '../ports.js';

/** Not a presence: nobody is there because a file came. */
const KINDS = ['status', 'pod', 'event', 'request'] as const;
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
  if (found.length === 0) throw new RequestError('Invalid', 'the receipt holds no word of a node');
  const nodes = [...new Set(found.map(({ node }) => node))];
  for (let at = 0; at < found.length; at += BATCH) {
    for (const message of found.slice(at, at + BATCH)) ingest.receive(message);
    for (const node of nodes) await ingest.recorded(node);
  }
  return nodes;
}
