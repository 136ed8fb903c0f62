/**
 * A node that two devices seem to use: recorded with its identity, shown as a condition, told as an
 * event. Its assignment does not change until a person has looked. Orders the calls: clones.ts
 * decides.
 */
import type { Clock, Log } from '../../protocol/ports.js';
import { withIdentity } from '../enrolment/node-object.js';
import type { NodeDocuments } from '../../protocol/verify-messages.js';
import { CloneWatch } from './clones.js';
import type { NodeObject } from '../objects.js';
import { StoreError, type Store } from '../store/store.js';
import { hubEventDraft } from './mirror.js';
import { stateOf, underJournal, withPresence, wordOf, type NodeState } from './node-state.js';

const TRIES = 5;

export interface GuardParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

interface Said {
  readonly kind: keyof NodeDocuments;
  readonly document: unknown;
  readonly retained: boolean;
  readonly digest: string;
}

export class CloneGuard {
  readonly #parts: GuardParts;
  readonly #watch = new CloneWatch();
  /** Those that this hub found, until a person has looked. */
  readonly #held = new Set<string>();

  constructor(parts: GuardParts) {
    this.#parts = parts;
  }

  /** What a node said in one turn, verified, before it is recorded. */
  async look(node: string, said: readonly Said[]): Promise<void> {
    const { store, clock } = this.#parts;
    const about = said.filter(({ kind }) => kind === 'presence' || kind === 'status');
    if (about.length === 0) return;
    const nothing = { journal: null, recorded: {}, pods: {}, connected: false };
    const reporters = await store.reporters(node);
    if (await this.#isHeld(node)) return;
    let state = stateOf(node, reporters, nothing);
    if (this.#watch.isStrange(node)) await this.#recall(node, state.reporter.journal);
    const marks = new Map(reporters.map(one => [one.journal, one]));
    for (const { kind, document, retained, digest } of about) {
      const { reporter, formerJournals } = state;
      const formers = new Map([...marks].filter(([journal]) => formerJournals.has(journal)));
      const heard = { retained, nowMs: clock.monotonic(), known: { ...reporter, formers } };
      if (kind === 'status') {
        const status = document as NodeDocuments['status'];
        await this.#found(node, this.#watch.status(status, digest, heard));
        continue;
      }
      const presence = document as NodeDocuments['presence'];
      await this.#found(node, this.#watch.presence(presence, heard));
      state = after(state, presence, retained);
      marks.set(state.reporter.journal, state.reporter);
    }
  }

  /** What a node says while it is held proves nothing of how it is after a person has looked. */
  async #isHeld(node: string): Promise<boolean> {
    if (!this.#held.has(node)) return false;
    const identity = await this.#parts.store.identity(node);
    const isHeld = (identity?.suspectedAt ?? null) !== null;
    if (!isHeld) this.#held.delete(node);
    return isHeld;
  }

  /** This hub was started anew, or heard nothing of the node yet. */
  async #recall(node: string, journal: string): Promise<void> {
    const object = (await this.#parts.store.get('Node', '', node)) as NodeObject | null;
    this.#watch.recall(node, journal, object?.status.flotilla.starts ?? []);
  }

  async #found(node: string, why: string | null): Promise<void> {
    for (let tries = 1; why !== null; tries++) {
      try {
        await quarantine(this.#parts, { node, why });
        this.#held.add(node);
        return;
      } catch (error) {
        const raced = error instanceof StoreError && error.code === 'Conflict';
        if (!raced || tries === TRIES) throw error;
      }
    }
  }
}

function after(
  state: NodeState,
  presence: NodeDocuments['presence'],
  retained: boolean,
): NodeState {
  const current = underJournal(state, presence, {
    presence: wordOf(presence),
    retained,
  });
  return current ? withPresence(current, presence) : state;
}

/** Again changes nothing. Throws `StoreError` (Conflict) when somebody wrote in between. */
async function quarantine(
  { store, clock, log }: GuardParts,
  { node, why }: { readonly node: string; readonly why: string },
): Promise<void> {
  const identity = await store.identity(node);
  const object = (await store.get('Node', '', node)) as NodeObject | null;
  if (!identity || !object || identity.state !== 'active' || identity.suspectedAt !== null) return;
  const now = new Date(clock.now()).toISOString();
  const record = { ...identity, suspectedAt: now };
  const { resourceVersion } = object.metadata;
  const message = `two devices seem to use the keys of this node: ${why}`;
  const said = { node, type: 'Warning', reason: 'CloneSuspected', message, now } as const;
  await store.commit({ kind: 'hub', name: 'ingest' }, [
    { type: 'identity', expect: identity, record },
    { type: 'put', object: withIdentity(object, record, now), expect: { resourceVersion } },
    { type: 'put', object: hubEventDraft(said), expect: 'any' },
  ]);
  log.error('a node seems to be cloned: its assignment is held', { node, why });
}
