/**
 * Commands of the hub. Each counts for the session that this node announced last and in the order of its numbers, so that
 * none is obeyed twice. Questions are answered from the journal: how far this node is, and what it keeps that the hub may
 * have lost, in signed pieces under the node's own topics; streams are opened elsewhere. Nothing is changed here.
 */
import { canonicalJson } from '../../protocol/canonical.js';
import type { CommandDocument, KeptAsk } from '../../protocol/documents/command.js';
import type { KnownRevision, StandingDocument } from '../../protocol/documents/node.js';
import { sealPacked } from '../../protocol/envelope.js';
import type { Log } from '../../protocol/ports.js';
import { refuse, type Refusal } from '../../protocol/refusal.js';
import { piecesOf } from '../../protocol/reply.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import type { Journal } from '../journal/journal.js';
import type { Link } from '../link/link-options.js';
import { stampOf, type NodeIdentity } from '../report/node.js';
import type { SealedSecrets } from '../secrets/sealed-secrets.js';
import type { Streams } from '../streams/streams.js';
import { bundleKey } from './decide.js';

/** Answers that wait to be sent; a hub asks for a few at a time. */
const WAITING_MAX = 16;
/** Limits of the document. */
const REVISIONS_MAX = 1024;
const SECRETS_MAX = 1024;

export interface CommandsOptions {
  readonly identity: NodeIdentity;
  readonly journal: Pick<
    Journal,
    'id' | 'boot' | 'nextCounter' | 'accepted' | 'content' | 'settle'
  >;
  readonly link: Pick<Link, 'publish'>;
  readonly log: Pick<Log, 'warn'>;
  readonly root: () => TrustedRoot;
  readonly secrets?: Pick<SealedSecrets, 'publicKey'>;
  readonly streams: Pick<Streams, 'open'>;
}

export class Commands {
  readonly #options: CommandsOptions;
  #session = '';
  #n = 0;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /** A new CONNECT: commands of the former session are void. */
  begin(session: string): void {
    this.#session = session;
    this.#n = 0;
  }

  /** Null when it is obeyed, else why not. Never throws for what it holds. */
  receive(payload: Buffer): Refusal | null {
    const { identity } = this.#options;
    const root = this.#options.root();
    const opened = openHubDocument('command', payload, { root, node: identity.node });
    if (!opened.ok) return opened.refusal;
    const command = opened.value.document;
    if (command.epoch < root.document.epoch) {
      return refuse('Rollback', 'command: of a former epoch').refusal;
    }
    if (command.session !== this.#session || command.n <= this.#n) {
      return refuse('NotFresh', 'command: of another session, or obeyed already').refusal;
    }
    this.#n = command.n;
    const { ask, request } = command;
    if (ask.kind !== 'kept') {
      this.#options.streams.open({ ...command, ask }, opened.value.digest);
      return null;
    }
    // The hub asks again for what does not come.
    if (this.#waiting >= WAITING_MAX) return null;
    this.#waiting++;
    const question = { session: command.session, request, ask };
    this.#last = this.#last
      .then(() => this.#answer(question))
      // A disk that refuses answers nothing, and does not keep later questions from their answers; the hub asks again.
      .catch((error: unknown) =>
        this.#options.log.warn('a question of the hub was not answered', { want: ask.want, error }),
      )
      .finally(() => this.#waiting--);
    return null;
  }

  /** One answer after the other, one piece after the other: at most one is in memory. */
  async #answer(
    question: Pick<CommandDocument, 'session' | 'request'> & { readonly ask: KeptAsk },
  ): Promise<void> {
    const { session, request, ask } = question;
    const { identity, journal, link } = this.#options;
    const topic = topicsOf(identity.fleet).node(identity.node, 'reply', request);
    // Nothing is told of the journal that a power cut could still take from it.
    journal.settle();
    for (const piece of piecesOf(this.#bytesFor(ask))) {
      if (session !== this.#session) return;
      const document = {
        ...stampOf(identity, journal),
        counter: journal.nextCounter(),
        request,
        ...piece,
      };
      const sent = await link.publish(topic, sealPacked('reply', document, [identity.signer]), {
        retain: false,
      });
      if (!sent) return;
    }
  }

  #bytesFor({ want, digest, rootVersion }: KeptAsk): Buffer | null {
    const kept = this.#options.journal.content.kept();
    switch (want) {
      case 'standing':
        return Buffer.from(canonicalJson(this.#standing()));
      case 'bundle':
        return digest === null ? null : kept.bundle(digest);
      case 'blob':
        return digest === null ? null : kept.blob(digest);
      case 'secret':
        return digest === null ? null : kept.secret(digest);
      case 'root':
        return kept.root(rootVersion);
    }
  }

  #standing(): StandingDocument {
    const { journal } = this.#options;
    const { epoch, version } = this.#options.root().document;
    const accepted = journal.accepted();
    const envelope = accepted && journal.content.kept().assignment(accepted.digest);
    const highest = new Map<string, KnownRevision>();
    for (const { namespace, name, revision, digest } of journal.content.kept().revisions()) {
      const known = highest.get(bundleKey({ namespace, name }));
      if (known && known.revision >= revision) continue;
      highest.set(bundleKey({ namespace, name }), { namespace, name, revision, digest });
    }
    return {
      epoch,
      rootVersion: version,
      generation: accepted?.epoch === epoch ? accepted.generation : 0,
      assignment: envelope?.toString('utf8') ?? null,
      revisions: [...highest.values()].slice(0, REVISIONS_MAX),
      secrets: journal.content.kept().secrets().slice(0, SECRETS_MAX),
      sealingKey: this.#options.secrets?.publicKey() ?? null,
    };
  }
}
