/**
 * What a person carried here in a file is read as if the broker had brought it: each message goes to the same checks. Roots that are
 * known, and messages for other nodes, are passed over; images are given to the engine only when an accepted bundle binds every one.
 * Reading the same file again changes nothing.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { CarriedError, NOT_CARRIED, readCarried } from '../../protocol/carried.js';
import { boundImages } from '../../protocol/image-binding.js';
import { topicsOf, type Address } from '../../protocol/topics.js';
import { HttpError } from '../api/http-error.js';
import { diskFault } from '../disk-fault.js';
import { RuntimeError } from '../runtime/runtime.js';
import type { HubSession } from '../hub-session.js';
import type { Journal } from '../journal/journal.js';
import type { NodeIdentity } from '../report/node.js';
import { HEAD_BYTES, kindOfFile } from './file-kind.js';
import { whyNotLoad } from './images.js';

export interface ImportParts {
  readonly identity: Pick<NodeIdentity, 'fleet' | 'node'>;
  readonly session: Pick<HubSession, 'deliver' | 'refusals' | 'intake'>;
  readonly journal: Pick<Journal, 'accepted' | 'freshNonce' | 'content' | 'refused' | 'settle'>;
  /** Null where no engine of ours runs the pods. */
  readonly loadImages: ((archive: AsyncIterable<Uint8Array>) => Promise<void>) | null;
}

export interface ImportOutcome {
  readonly node: string;
  /** Messages for this node, and for all. */
  readonly messages: number;
  /** False: the file holds no assignment of this node. */
  readonly isForThisNode: boolean;
  /** Other nodes whose assignments it holds. */
  readonly otherNodes: readonly string[];
  readonly root: { readonly before: number; readonly after: number };
  readonly generation: { readonly before: number; readonly after: number };
  /** By code, what was refused of this file. */
  readonly refused: Readonly<Record<string, number>>;
  /** Of the newest refusal. */
  readonly detail: string | null;
  /** The journal began anew: only an answer to this node's own request is accepted. */
  readonly needsFresh: boolean;
  readonly images: 'none' | 'loaded' | { readonly refused: string };
}

/** What nodes say: only a receipt holds it. */
const OF_NODES: ReadonlySet<Address['kind']> = new Set([
  'presence',
  'request',
  'status',
  'pod',
  'event',
  'reply',
]);

/** Throws `HttpError`: a file that cannot be read, is of another fleet, or is something else; a disk that refuses what it holds. */
export async function importFile(file: string, parts: ImportParts): Promise<ImportOutcome> {
  const { identity, session, journal } = parts;
  const rootVersion = () => session.intake.state().root.document.version;
  const generation = () => journal.accepted()?.generation ?? 0;
  const before = { root: rootVersion(), generation: generation(), refused: session.refusals() };
  const topics = topicsOf(identity.fleet);
  const refusedBefore = journal.refused();
  const found = { messages: 0, isForThisNode: false, hasImages: false };
  const otherNodes = new Set<string>();
  const work = async () => {
    for await (const entry of readCarried(createReadStream(file))) {
      if (entry.is === 'mark' && entry.fleet !== identity.fleet) {
        throw new HttpError(
          409,
          `${file}: made by fleet ${entry.fleet}; this node is of ${identity.fleet}`,
        );
      }
      if (entry.is === 'images') found.hasImages = true;
      if (entry.is !== 'message') continue;
      const topic = topics.prefix + entry.topic;
      const address = topics.parse(topic);
      if (address === null) continue;
      if (OF_NODES.has(address.kind) && 'node' in address) throw isReceipt(file, address.node);
      if ('node' in address && address.node !== identity.node) {
        if (address.kind === 'assignment') otherNodes.add(address.node);
        continue;
      }
      // The chain is walked from the root in force; what came before it says nothing.
      if ('version' in address && address.version <= rootVersion()) continue;
      if (address.kind === 'assignment') found.isForThisNode = true;
      found.messages += 1;
      session.deliver(topic, entry.payload);
    }
  };
  await reading(file, work).catch((error: unknown) => {
    const after = { root: rootVersion(), generation: generation() };
    throw error instanceof HttpError
      ? new HttpError(error.code, error.message + takenBefore(before, after))
      : error;
  });
  assertWritten(file, { journal, refusedBefore });
  return {
    node: identity.node,
    messages: found.messages,
    isForThisNode: found.isForThisNode,
    otherNodes: [...otherNodes],
    root: { before: before.root, after: rootVersion() },
    generation: { before: before.generation, after: generation() },
    ...refusedSince(before.refused, session),
    needsFresh: journal.freshNonce() !== null,
    images: found.hasImages ? await imagesOf(file, parts) : 'none',
  };
}

interface Taken {
  readonly root: number;
  readonly generation: number;
}

/** What was whole and verified before the file ended counts, as if the broker had brought it. Empty: nothing was. Pure. */
export function takenBefore(before: Taken, after: Taken): string {
  const parts = [
    ...(after.root === before.root ? [] : [`root ${after.root}`]),
    ...(after.generation === before.generation ? [] : [`assignment ${after.generation}`]),
  ];
  if (parts.length === 0) return '';
  return `; ${parts.join(' and ')} in it came before that, and counts: flotilla-agent status`;
}

/** What the broker brings comes again; what a stick brought does not, unless its owner hears of it. */
function assertWritten(
  file: string,
  of: { readonly journal: ImportParts['journal']; readonly refusedBefore: number },
): void {
  let message = 'a part of it could not be written';
  try {
    of.journal.settle();
    if (of.journal.refused() === of.refusedBefore) return;
  } catch (error) {
    const words = diskFault(error);
    if (words === null) throw error;
    message = words;
  }
  throw new HttpError(
    507,
    `${file}: the disk of this node refuses it (${message}); after that import it again`,
  );
}

function isReceipt(file: string, node: string): HttpError {
  return new HttpError(
    422,
    `${file}: a receipt, which node ${node} wrote for the hub: flotilla bundle import ${file} takes it there`,
  );
}

function refusedSince(
  before: ReadonlyMap<string, number>,
  session: ImportParts['session'],
): Pick<ImportOutcome, 'refused' | 'detail'> {
  const more = [...session.refusals()].flatMap(([code, count]): [string, number][] => {
    const added = count - (before.get(code) ?? 0);
    return added > 0 ? [[code, added]] : [];
  });
  const { newestRefusal: lastRefusal } = session.intake.state();
  return {
    refused: Object.fromEntries(more),
    detail: more.length > 0 && lastRefusal ? `${lastRefusal.topic}: ${lastRefusal.detail}` : null,
  };
}

/** Read twice: a list of what is in it may stand at its end. */
async function imagesOf(file: string, parts: ImportParts): Promise<ImportOutcome['images']> {
  const { journal, loadImages } = parts;
  if (loadImages === null) return { refused: 'another engine than this agent’s runs the pods' };
  const bundles = journal.accepted()?.document.bundles ?? [];
  const bound = bundles.flatMap(({ digest }) =>
    boundImages(journal.content.bundleDocument(digest)?.images ?? []),
  );
  return reading(file, async () => {
    const why = await whyNotLoad(imagesIn(file), bound);
    if (why !== null) return { refused: why };
    try {
      await loadImages(imagesIn(file));
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.code === 'EngineUnavailable') throw error;
      return { refused: `the engine does not take them: ${error.message}; copy the file again` };
    }
    return 'loaded';
  });
}

async function* imagesIn(file: string): AsyncGenerator<Uint8Array> {
  for await (const entry of readCarried(createReadStream(file))) {
    if (entry.is === 'images') yield* entry.bytes;
  }
}

async function reading<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HttpError) throw error;
    if (error instanceof CarriedError) throw await notCarried(file, error);
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new HttpError(404, `${file}: there is no such file`);
    if (code === 'EISDIR') {
      throw new HttpError(
        422,
        `${file}: a folder; give the file of \`flotilla bundle export\` in it`,
      );
    }
    throw new HttpError(500, `${file}: ${message}`);
  }
}

/** With what the file is, as far as its beginning says. */
async function notCarried(file: string, { message }: CarriedError): Promise<HttpError> {
  const opened = await open(file);
  try {
    const { bytesRead, buffer } = await opened.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const kind = message === NOT_CARRIED ? kindOfFile(buffer.subarray(0, bytesRead)) : null;
    return new HttpError(422, `${file}: ${message}${kind === null ? '' : `: ${kind}`}`);
  } finally {
    await opened.close();
  }
}
