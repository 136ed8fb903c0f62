/**
 * What nodes are to have, as messages for a file: all roots, then for each node its assignment and the hub's word on what it has of
 * the node's reports, then the blobs that the assignments name. The same bytes that the broker would be given.
 */
import type { AckDocument } from '../../protocol/documents/hub.js';
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import type { CarriedMessage } from '../../protocol/carried.js';
import { seal } from '../../protocol/envelope.js';
import { boundImages } from '../../protocol/image-binding.js';
import type { Signer } from '../../protocol/keys.js';
import { topicsOf, type Topics } from '../../protocol/topics.js';
import { ackOf } from '../ingest/ack.js';
import { anchorOf } from '../ingest/history-watch.js';
import type { NodeObject } from '../objects.js';
import { RequestError, type Carried } from '../ports.js';
import { assignmentOf } from '../rollout/director.js';
import { asBlob } from '../rollout/revise.js';
import { blobsOf, bundleDocumentOf } from '../rollout/revision-document.js';
import type { AssignmentRecord, Store } from '../store/store.js';

/** Of all messages, so that an answer fits into memory; images are not among them. */
export const EXPORT_BYTES_MAX = 64 * 1024 * 1024;

export interface ExportParts {
  readonly store: Store;
  readonly fleet: string;
  readonly hubSigner: Signer;
}

/** `nodes` null: all members. Throws NotFound for a node that is no member, RequestEntityTooLarge. */
export async function exportFor(
  parts: ExportParts,
  nodes: readonly string[] | null,
): Promise<Carried> {
  const { store, fleet } = parts;
  const topics = topicsOf(fleet);
  const members = (await store.identities()).filter(({ state }) => state === 'active');
  const wanted = [...new Set(nodes ?? members.map(({ node }) => node))].sort();
  const stranger = wanted.find(node => !members.some(member => member.node === node));
  if (stranger !== undefined) {
    throw new RequestError('NotFound', `nodes "${stranger}" not found among the members`);
  }
  const messages: CarriedMessage[] = [];
  let bytes = 0;
  const add = (topic: string, payload: Uint8Array) => {
    bytes += payload.byteLength;
    if (bytes > EXPORT_BYTES_MAX) {
      const text = `more than ${EXPORT_BYTES_MAX / 1024 / 1024} MiB: export fewer nodes at a time`;
      throw new RequestError('RequestEntityTooLarge', text);
    }
    messages.push({ topic, payload });
  };
  for (let version = 1; ; version++) {
    const record = await store.root(version);
    if (!record) break;
    add(topics.root(version), record.envelope);
  }
  const digests = { bundles: new Set<string>(), secrets: new Set<string>() };
  for (const node of wanted) {
    const record = await store.assignment(node);
    if (!record) continue;
    add(topics.node(node, 'assignment'), record.envelope);
    const ack = await ackFor(parts, record);
    if (ack) add(topics.node(node, 'ack'), seal('ack', ack, [parts.hubSigner]));
    const assigned = assignmentOf(record);
    for (const { digest } of assigned.bundles) digests.bundles.add(digest);
    for (const { digest } of assigned.secrets) digests.secrets.add(digest);
  }
  const { images, content } = await addEnvelopes({ store, topics, add }, digests.bundles);
  for (const digest of digests.secrets) {
    const topic = topics.blob(digest);
    const { payload } = (await store.publication(topic)) ?? {};
    if (payload) add(topic, payload);
  }
  for (const digest of content) {
    const blob = await store.blob(digest);
    if (blob) add(topics.blob(digest), asBlob(Buffer.from(blob.content)));
  }
  return { fleet, nodes: wanted, messages, images };
}

interface Adding {
  readonly store: Store;
  readonly topics: Topics;
  readonly add: (topic: string, payload: Uint8Array) => void;
}

/** Of bundles: before their content, for only they tell what else is lacking. */
async function addEnvelopes(
  { store, topics, add }: Adding,
  digests: ReadonlySet<string>,
): Promise<{ images: readonly ImageEntry[]; content: ReadonlySet<string> }> {
  const images = new Map<string, ImageEntry>();
  const content = new Set<string>();
  for (const digest of digests) {
    const record = await store.revisionByDigest(digest);
    if (!record) continue;
    add(topics.blob(digest), record.envelope);
    for (const blob of blobsOf(record)) if (blob !== digest) content.add(blob);
    for (const one of boundImages(bundleDocumentOf(record).images)) {
      images.set(JSON.stringify(one), one);
    }
  }
  return { images: [...images.values()], content };
}

/** Null for a node that has not reported yet. */
async function ackFor(
  { store, fleet }: ExportParts,
  assignment: AssignmentRecord,
): Promise<AckDocument | null> {
  const { node } = assignment;
  const reporter = (await store.reporters(node)).find(({ current }) => current);
  const object = (await store.get('Node', '', node)) as NodeObject | null;
  if (!reporter || !object) return null;
  const recorded = Object.entries(object.status.flotilla.recorded);
  const pods = recorded.map(([key, { digest }]) => [key, digest] as const);
  const { row } = anchorOf(object.status.flotilla, reporter.journal);
  return ackOf({ fleet, reporter, assignment, row, pods });
}
