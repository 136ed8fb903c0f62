/**
 * Who the node is in everything that it says: names, key, and the stamp that orders its documents.
 */
import type { NodeStamp } from '../../protocol/documents/node.js';
import { sealPacked } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import type { Journal } from '../journal/journal.js';
import type { Presence } from '../link/link-options.js';

export interface NodeIdentity {
  readonly fleet: string;
  readonly node: string;
  /** The identity key. */
  readonly signer: Signer;
}

export function stampOf(
  { fleet, node }: NodeIdentity,
  journal: Pick<Journal, 'id' | 'boot'>,
): NodeStamp {
  return { fleet, node, journal: journal.id, boot: journal.boot };
}

/** Presence of one CONNECT, and the session that it announces. */
export interface AnnouncedPresence extends Presence {
  readonly session: string;
}

/**
 * A maker of presence documents: each CONNECT has its own number and session, its will signed
 * beforehand.
 */
export function presenceMaker(
  identity: NodeIdentity,
  journal: Pick<Journal, 'id' | 'boot' | 'nextCounter'>,
  randomId: () => string,
): () => AnnouncedPresence {
  const topic = topicsOf(identity.fleet).node(identity.node, 'presence');
  return () => {
    const n = journal.nextCounter();
    const base = { ...stampOf(identity, journal), n, session: randomId() };
    const document = (online: boolean) =>
      sealPacked('presence', { ...base, online }, [identity.signer]);
    const { session } = base;
    return { topic, session, will: document(false), birth: document(true) };
  };
}
