/**
 * The key that container output is sealed to: what the hub said last of it, kept over restarts, for output that comes about while the
 * hub is away. One of a former epoch is not used: whoever took the hub's keys may have it.
 */
import type { HubDocument } from '../../protocol/documents/hub.js';
import type { SealedOutput } from '../../protocol/documents/node.js';
import { sealLastWords, type LastWords } from '../../protocol/last-words.js';
import type { Alongside } from '../journal/alongside.js';
import type { BundleName } from '../ports.js';
import type { NodeIdentity } from './node.js';

export interface HubKeyParts {
  readonly identity: Pick<NodeIdentity, 'fleet' | 'node'>;
  readonly kept: Pick<Alongside, 'read' | 'save'>;
  /** Of the root in force. */
  readonly epoch: () => number;
}

export interface HubKeyMemory {
  /** A verified word of the hub. Writes only what is new; a disk that refuses is no fault: it is written at the next word. */
  heard(hub: Pick<HubDocument, 'epoch' | 'sealingKey'>): void;
  /** Null: the hub's key is not known, or nothing can be sealed to it. */
  seal(bundle: BundleName, words: LastWords): SealedOutput | null;
}

export function hubKeyMemory({ identity, kept, epoch }: HubKeyParts): HubKeyMemory {
  return {
    heard: hub => {
      const told = `${hub.epoch} ${hub.sealingKey}`;
      if (kept.read() !== told) kept.save(told);
    },
    seal: ({ namespace, name }, words) => {
      const [of, key] = kept.read()?.split(' ') ?? [];
      if (key === undefined || Number(of) < epoch()) return null;
      const { fleet, node } = identity;
      return sealLastWords({ fleet, node, namespace, name }, words, key);
    },
  };
}
