/**
 * The fleet restores the hub: after a restore every node is asked, under a fresh random name, how far it is; counters go
 * on above what it says, bundles that the backup did not know come back from it, and only then it is sent anything. When
 * all were heard, or the operator ends it, bundles whose nodes have something else than their selectors say are held as
 * they are. Old words that a broker repeats answer no question and change nothing.
 */
import type {
  PresenceDocument,
  ReplyDocument,
  StandingDocument,
} from '../../protocol/documents/node.js';
import { keyId } from '../../protocol/keys.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { parseStanding, STANDING_BYTES_MAX } from '../../protocol/reply.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { envelopeBytesMax } from '../../protocol/verified.js';
import { ROOT_BYTES_MAX } from '../../protocol/limits.js';
import type { NodeListener } from '../ingest/ingest-parts.js';
import type { NodeMessenger } from '../link/messages.js';
import { retried } from '../store/retry.js';
import type { Actor, Store } from '../store/store.js';
import { ReturningContent } from './content.js';
import { assignmentIn } from './lessons.js';
import { endMutations, lessonMutations } from './learned.js';
import { Questions } from './questions.js';
import { fetchSecrets } from './returned-secrets.js';

const ACTOR: Actor = { kind: 'hub', name: 'recovery' };
const RETRY_MS = 30_000;

export interface RecoveryParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  /** Makes the next root the hub's own. Rejects where this hub cannot go on under it. */
  readonly adoptRoot: (envelope: Uint8Array) => Promise<void>;
  readonly messenger: Pick<NodeMessenger, 'command'>;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
}

export interface RecoveryState {
  /** Null: this hub was never restored. */
  readonly restoredAt: string | null;
  readonly backupAt: string | null;
  readonly learning: boolean;
  /** Members that it has not heard, by name. */
  readonly unheard: readonly string[];
}

export interface Recovery extends NodeListener {
  state(): Promise<RecoveryState>;
  /** Ends learning with what is known. Those not heard stay untouched until they are. Twice does no harm. */
  finish(actor: Actor): Promise<RecoveryState>;
  close(): Promise<void>;
}

/** `before`: as it stands, read before the link's first message. */
export function startRecovery(parts: RecoveryParts, before: RecoveryState): Recovery {
  return new FleetRecovery(parts, before);
}

export async function recoveryState(store: Store): Promise<RecoveryState> {
  const [record, unheard] = await Promise.all([store.recovery(), store.unheard()]);
  return {
    restoredAt: record?.restoredAt ?? null,
    backupAt: record?.backupAt ?? null,
    learning: record?.learning ?? false,
    unheard,
  };
}

class FleetRecovery implements Recovery {
  readonly #parts: RecoveryParts;
  readonly #content: ReturningContent;
  readonly #conversations = new Map<string, { questions: Questions; stop: AbortController }>();
  readonly #stop = new AbortController();
  readonly #work = new Set<Promise<void>>();
  /** Roots are adopted one after the other. */
  #roots: Promise<unknown> = Promise.resolve();
  readonly #forget: () => void;

  constructor(parts: RecoveryParts, { unheard, learning, backupAt }: RecoveryState) {
    this.#parts = parts;
    this.#content = new ReturningContent(parts);
    const { store, log } = parts;
    for (const node of unheard) this.#converse(node);
    if (learning)
      log.info('restored: learning from the fleet', { backupAt, nodes: unheard.length });
    this.#forget = store.onCommit(touched => {
      if (touched.has('heard') || touched.has('dropIdentity')) void this.#look();
    });
    void this.#look();
  }

  presence(document: PresenceDocument): void {
    this.#conversations.get(document.node)?.questions.presence(document);
  }

  reply(document: ReplyDocument): void {
    this.#conversations.get(document.node)?.questions.reply(document);
  }

  state(): Promise<RecoveryState> {
    return recoveryState(this.#parts.store);
  }

  async finish(actor: Actor): Promise<RecoveryState> {
    const before = await this.state();
    if (before.learning) {
      await this.#end(actor);
      this.#parts.log.warn('learning was ended by an operator', {
        by: actor.name,
        notHeard: before.unheard.join(', ') || 'none',
      });
    }
    return this.state();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#forget();
    await Promise.all(this.#work);
  }

  #converse(node: string): void {
    const { root, messenger, clock, random } = this.#parts;
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#stop.signal]);
    const questions = new Questions({
      ...{ node, messenger, clock, signal },
      fleet: root().document.fleet,
      epoch: () => root().document.epoch,
      randomId: () => Buffer.from(random(16)).toString('hex'),
    });
    this.#conversations.set(node, { questions, stop });
    const work = this.#hear(node, questions, signal).finally(() => {
      this.#work.delete(work);
      this.#conversations.delete(node);
    });
    this.#work.add(work);
  }

  /** Until it is heard, or there is nothing more to hear. Never rejects. */
  async #hear(node: string, questions: Questions, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    while (!signal.aborted) {
      try {
        await this.#learn(node, questions);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        log.warn('learning from a node failed; again in half a minute', { node, reason });
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }

  async #learn(node: string, questions: Questions): Promise<void> {
    const { store, root, log, clock } = this.#parts;
    const bytes = await questions.ask({ want: 'standing', bytesMax: STANDING_BYTES_MAX });
    const read = bytes && parseStanding(bytes);
    if (!read?.ok) throw new Error(read ? read.refusal.detail : 'the node gives no standing');
    const standing = read.value;
    if (standing.rootVersion > root().document.version) await this.#walkRoots(standing, questions);
    const identity = await store.identity(node);
    const found = assignmentIn(standing, { fleet: root().document.fleet, node });
    // That of a former device of the same name is nothing to go on from.
    const isOwn = found !== null && found.document.nodeKey === keyId(identity?.identityKey ?? '');
    const said = isOwn ? found : null;
    const named = [...(said?.document.bundles ?? []), ...standing.revisions];
    const returned = new Set<string>();
    for (const one of named) {
      const { namespace, name, revision, digest } = one;
      const came = await this.#content.fetch(
        { namespace, name, revision, digest },
        node,
        questions,
      );
      if (came) returned.add(digest);
    }
    const assigned = said?.document.secrets ?? [];
    const secrets = await fetchSecrets(
      { node, assigned, kept: standing.secrets },
      { store, root, questions, log },
    );
    await this.#commit(ACTOR, () =>
      lessonMutations(store, {
        ...{ node, standing, said, returned, secrets },
        now: new Date(clock.now()).toISOString(),
        fleet: root().document.fleet,
      }),
    );
    const { epoch, generation } = standing;
    log.info('heard a node', {
      node,
      epoch,
      generation,
      bundles: said?.document.bundles.length ?? 0,
    });
  }

  #walkRoots(standing: StandingDocument, questions: Questions): Promise<void> {
    const turn = this.#roots.then(async () => {
      const { root, adoptRoot } = this.#parts;
      while (root().document.version < standing.rootVersion) {
        const rootVersion = root().document.version + 1;
        const bytesMax = envelopeBytesMax(ROOT_BYTES_MAX);
        const bytes = await questions.ask({ want: 'root', rootVersion, bytesMax });
        if (!bytes) throw new Error(`the node does not keep root ${rootVersion}`);
        await adoptRoot(bytes);
        if (root().document.version < rootVersion) {
          throw new Error(`the node gives another root than ${rootVersion}`);
        }
      }
    });
    this.#roots = turn.catch(() => undefined);
    return turn;
  }

  /** Ends by itself what is complete, and conversations with nodes that left the fleet. */
  async #look(): Promise<void> {
    const { log } = this.#parts;
    try {
      const { learning, unheard } = await this.state();
      for (const [node, { stop }] of this.#conversations) {
        if (!unheard.includes(node)) stop.abort();
      }
      if (!learning || unheard.length > 0) return;
      await this.#end(ACTOR);
      log.info('every node was heard: the restore is complete');
    } catch (error) {
      if (!this.#stop.signal.aborted) log.error('ending the restore failed', { error });
    }
  }

  #end(actor: Actor): Promise<void> {
    const { store, root, clock } = this.#parts;
    const now = new Date(clock.now()).toISOString();
    return this.#commit(actor, () => endMutations(store, { root: root().document, now }));
  }

  /** Made anew when somebody else wrote the same objects in between. */
  async #commit(actor: Actor, make: () => Promise<Parameters<Store['commit']>[1]>): Promise<void> {
    await retried(async () => this.#parts.store.commit(actor, await make()));
  }
}
