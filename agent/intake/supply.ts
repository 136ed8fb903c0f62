/**
 * Gets what is lacking: subscribes to it, checks what comes, keeps it in the journal, has it asked
 * for when it does not come. A blob is content-addressed, so it does not matter who sent it; an
 * envelope needs the release role's signature.
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { AssignedSecret } from '../../protocol/documents/assignment.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import type { Clock } from '../../protocol/ports.js';
import type { Refusal } from '../../protocol/refusal.js';
import type { Topics } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openBundle } from '../../protocol/verify-bundle.js';
import { unpackBlob } from './blobs.js';
import { Alarm } from './alarm.js';
import { isFinalRefusal, memoryAllows } from './decide.js';
import { FetchQueue } from './fetch.js';
import { Patches } from './patches.js';
import type { Requests } from './requests.js';
import type { Lacking, Whereabouts } from './lacking.js';
import type { Journal } from '../journal/journal.js';
import type { Link } from '../link/link-options.js';
import type { SealedSecrets } from '../secrets/sealed-secrets.js';

export interface SupplyOptions {
  readonly journal: Journal;
  readonly link: Pick<Link, 'connected' | 'subscribe' | 'unsubscribe'>;
  readonly topics: Topics;
  readonly requests: Requests;
  /** Sealed Secrets; left out where the node has no key to open them. */
  readonly secrets?: SealedSecrets | undefined;
  readonly root: () => TrustedRoot;
  readonly arch: string;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onRefusal: (refusal: Refusal, payload: Buffer, topic: string) => void;
  /** What was refused on this topic before is past. */
  readonly onTaken: (topic: string) => void;
  /** The root that is needed next was waited for in vain. */
  readonly onRootMissing: () => void;
  /** Something came, or something that was awaited is missing now. */
  readonly onArrival: () => void;
}

interface Refused {
  readonly refusal: Refusal;
  /** No other bytes could do better. */
  readonly final: boolean;
}

export class Supply {
  /** Tried before anything is fetched. */
  readonly patches: Patches;
  readonly #options: SupplyOptions;
  readonly #queue = new FetchQueue();
  readonly #alarm: Alarm;
  readonly #refused = new Map<string, Refused>();
  #lacking = new Map<string, Lacking>();

  constructor(options: SupplyOptions) {
    this.#options = options;
    const take = (envelope: Buffer, wanted: Lacking) => this.#bundle(envelope, wanted) === null;
    this.patches = new Patches({ journal: options.journal, take });
    this.#alarm = new Alarm(options.clock, () => {
      if (this.#step()) options.onArrival();
    });
  }

  /**
   * The complete list of what is lacking. True when that changed: some of it is here, or known to be missing from now on.
   */
  want(lacking: readonly Lacking[], rootVersion: number | null): boolean {
    if (this.patches.apply(lacking)) return true;
    this.#lacking = new Map(lacking.map(item => [item.digest, item]));
    for (const digest of [...this.#refused.keys()]) {
      if (!this.#lacking.has(digest)) this.#refused.delete(digest);
    }
    // Envelopes first: only they tell what else is lacking.
    const blobs = [...lacking]
      .sort((a, b) => Number(b.envelopeOf !== null) - Number(a.envelopeOf !== null))
      .filter(({ digest }) => !this.#refused.get(digest)?.final)
      .map(({ digest }) => `blob/${digest}`);
    this.#queue.want([...(rootVersion === null ? [] : [`root/${rootVersion}`]), ...blobs]);
    return this.#step();
  }

  whereabouts(digest: string): Whereabouts {
    const refused = this.#refused.get(digest);
    if (refused) return { is: 'refused', ...refused };
    const key = `blob/${digest}`;
    if (this.#queue.isAbsent(key)) return { is: 'absent' };
    if (this.#queue.isSlow(key)) return { is: 'slow' };
    return { is: this.#queue.isMissing(key) ? 'missing' : 'coming' };
  }

  receive(digest: string, payload: Buffer, topic: string): void {
    const wanted = this.#lacking.get(digest);
    if (!wanted || this.#isKept(payload, wanted)) return;
    const refused = this.#take(payload, wanted);
    if (refused) {
      this.#refused.set(digest, refused);
      this.#options.onRefusal(refused.refusal, payload, topic);
    } else {
      this.#refused.delete(digest);
      this.#options.onTaken(topic);
    }
    // Wrong bytes keep their place until patience ends: then the right ones are asked for.
    if (!refused || refused.final) this.#queue.arrived(`blob/${digest}`);
    this.#options.onArrival();
  }

  answered({ published, absent }: { published: readonly string[]; absent: readonly string[] }) {
    for (const digest of published) this.#queue.answered(`blob/${digest}`, 'published');
    for (const digest of absent) this.#queue.answered(`blob/${digest}`, 'absent');
  }

  /** `key`: below the fleet's prefix. Called before the connection ends. */
  slow(key: string): void {
    const { clock, random } = this.#options;
    this.#queue.slow(key, clock.monotonic(), random());
  }

  reconnected(): void {
    this.#queue.reconnected();
  }

  /** Another session of the hub, or another root: what was in vain may not be any more. */
  hubChanged(): void {
    this.#refused.clear();
    this.#queue.hubChanged();
  }

  close(): void {
    this.#alarm.close();
  }

  /** True when something was asked for: it is missing from now on. */
  #step(): boolean {
    const { link, clock, random, topics, requests } = this.#options;
    if (!link.connected()) {
      this.#alarm.set(null);
      return false;
    }
    const step = this.#queue.step(clock.monotonic(), random);
    link.unsubscribe(step.unsubscribe.map(key => topics.prefix + key));
    link.subscribe(step.subscribe.map(key => topics.prefix + key));
    this.#alarm.set(step.nextAt);
    const digests = step.ask.filter(key => key.startsWith('blob/')).map(key => key.slice(5));
    requests.blobs(digests);
    for (const key of step.ask.filter(other => other.startsWith('root/'))) {
      requests.root(Number(key.slice(5)));
      this.#options.onRootMissing();
    }
    return digests.length > 0;
  }

  /** The envelope that is here, where one with more signatures is looked for: it may be asked for again. */
  #isKept(payload: Buffer, { digest, envelopeOf }: Lacking): boolean {
    const kept = envelopeOf === null ? null : this.#options.journal.content.bundleEnvelope(digest);
    if (kept === null) return false;
    const opened = openEnvelope(payload, { kind: 'bundle', bytesMax: 2 * MESSAGE_BYTES_MAX });
    return opened.ok && opened.value.envelope.equals(kept);
  }

  #take(payload: Buffer, wanted: Lacking): Refused | null {
    if (wanted.secret) return this.#secret(payload, wanted.secret);
    return wanted.envelopeOf ? this.#bundle(payload, wanted) : this.#blob(payload, wanted);
  }

  /** Sealed for a key that the node does not have: only another document can do better, and the assignment names that. */
  #secret(payload: Buffer, assigned: AssignedSecret): Refused | null {
    const { secrets, root } = this.#options;
    const kept = secrets?.receive(payload, assigned, root());
    if (kept === undefined || kept.ok) return null;
    const { refusal } = kept;
    const final = isFinalRefusal(refusal.code, isContentOf(payload, assigned.digest, 'secret'));
    return { refusal, final };
  }

  #bundle(payload: Buffer, { envelopeOf: assigned }: Lacking): Refused | null {
    if (!assigned) return null;
    const { journal, arch, agentVersion, root } = this.#options;
    const opened = openBundle(payload, { root: root(), assigned, arch, agentVersion });
    if (!opened.ok) {
      const { refusal } = opened;
      const final = isFinalRefusal(refusal.code, isContentOf(payload, assigned.digest));
      return { refusal, final };
    }
    const allowed = memoryAllows(assigned, {
      knownDigest: journal.content.knownDigest(assigned, assigned.revision),
      rollbackFloor: journal.content.rollbackFloor(assigned),
    });
    if (!allowed.ok) return { refusal: allowed.refusal, final: true };
    journal.content.storeBundle(opened.value);
    return null;
  }

  #blob(payload: Buffer, wanted: Lacking): Refused | null {
    const content = unpackBlob(payload, wanted);
    if (!content.ok) return { refusal: content.refusal, final: false };
    this.#options.journal.content.storeBlob(wanted.digest, content.value);
    return null;
  }
}

/** Whether an envelope carries the very payload that a digest names, whoever signed it. */
function isContentOf(
  envelope: Buffer,
  digest: string,
  kind: 'bundle' | 'secret' = 'bundle',
): boolean {
  const opened = openEnvelope(envelope, { kind, bytesMax: 2 * MESSAGE_BYTES_MAX });
  return opened.ok && sha256Hex(opened.value.payload) === digest;
}
