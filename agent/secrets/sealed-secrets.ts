/**
 * The sealed Secrets that the accepted assignment lists, for the intake that fetches them and for the pods that use them.
 *
 * Envelopes lie in the journal; here they are opened for one use at a time (S87 to S92). Nothing of a value is ever in a message.
 */
import type { KeyObject } from 'node:crypto';
import { parseCanonical, sha256Hex } from '../../protocol/canonical.js';
import type { AssignedSecret, AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { SecretDocument } from '../../protocol/documents/secret.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { keyId, rawPublicKey } from '../../protocol/keys.js';
import { MESSAGE_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../../protocol/limits.js';
import type { Log } from '../../protocol/ports.js';
import { refuse, type Refusal, type Result } from '../../protocol/refusal.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openSealed, openSecret, type OpenedSecret } from '../../protocol/verify-secret.js';
import type { KeptSecret, SecretStore } from '../journal/secrets.js';
import type { ConfigObject } from '../pods/config-objects.js';
import type { SourceCondition } from '../ports.js';
import { SealedData } from './sealed-data.js';

export interface SealedSecretsOptions {
  readonly node: string;
  readonly store: SecretStore;
  /** The node's private keys, the newest first; a rotation adds one while the agent runs. */
  readonly sealingKeys: () => readonly KeyObject[];
  /** The newest accepted assignment. */
  readonly assignment: () => AssignmentDocument | null;
  readonly log: Log;
}

/** In a condition. */
const NAMED_MAX = 8;

const keyOf = ({ namespace, bundle, name }: Omit<AssignedSecret, 'version' | 'digest'>) =>
  `${namespace}/${bundle}/${name}`;

export class SealedSecrets {
  readonly #options: SealedSecretsOptions;
  readonly #listeners = new Set<() => void>();
  /** Until something changes. */
  #objects: readonly ConfigObject[] | null = null;
  #kept: ReadonlyMap<string, KeptSecret> | null = null;

  constructor(options: SealedSecretsOptions) {
    this.#options = options;
  }

  // ------------------------------------------------------------------------------- for the intake

  /**
   * Another assignment was accepted: opened is only what it lists. What it lists in an older version than was kept here is refused one
   * by one (S88); the newer version stays in use, for a hub that was put back from a backup may mean no harm.
   */
  assigned(): Refusal[] {
    this.#options.store.forgetAllBut(this.#listed());
    this.#changed();
    return this.#listed().flatMap(secret => this.#rollback(secret) ?? []);
  }

  /** Those of the assignment whose very envelopes are not here. */
  lacking(): readonly AssignedSecret[] {
    const kept = this.#all();
    return this.#listed().filter(secret => {
      const isHere = kept.get(keyOf(secret))?.digest === secret.digest;
      return !isHere && this.#rollback(secret) === null;
    });
  }

  /** Keeps what came for `assigned`, or says why not; what is kept here goes on being used then. */
  receive(payload: Buffer, assigned: AssignedSecret, root: TrustedRoot): Result<SecretDocument> {
    const { node, sealingKeys, store } = this.#options;
    const opened = openSecret(payload, { root, assigned, node, sealingKeys: sealingKeys() });
    if (!opened.ok) return opened;
    const older = this.#rollback(assigned);
    if (older !== null) return { ok: false, refusal: older };
    const { epoch } = root.document;
    store.keep({ ...assigned, epoch, envelope: opened.value.envelope });
    this.#changed();
    return { ok: true, value: opened.value.document };
  }

  /** Whether pods of the bundle can use it: some version that is listed is here and can be opened. */
  has(bundle: { readonly namespace: string; readonly name: string }, secret: string): boolean {
    return this.objects().some(
      ({ name, bundle: own }) =>
        name === secret && own?.namespace === bundle.namespace && own.name === bundle.name,
    );
  }

  /**
   * Why a start could not give the Secret to pods of the bundle; null: it is kept here, and the keys on the disk open it. Read anew
   * each time; what is in use goes on being used.
   */
  startFault(
    bundle: { readonly namespace: string; readonly name: string },
    secret: string,
  ): string | null {
    const { namespace, name } = bundle;
    const key = keyOf({ namespace, bundle: name, name: secret });
    const listed = this.#listed().some(one => keyOf(one) === key);
    const kept = this.#options.store.all().find(one => keyOf(one) === key);
    if (!listed || kept === undefined) return 'is not kept here';
    try {
      this.#open(kept).wipe();
      return null;
    } catch {
      return 'does not open with the keys on the disk';
    }
  }

  /** Digests of what is kept here and cannot be opened: to be sealed again. */
  unopened(): readonly string[] {
    const opened = new Set(this.objects().map(({ sealed }) => sealed?.digest));
    return [...this.#all().values()]
      .map(({ digest }) => digest)
      .filter(digest => !opened.has(digest));
  }

  /** The newest public sealing key, raw, hex; null without one. */
  publicKey(): string | null {
    const [key] = this.#options.sealingKeys();
    return key === undefined ? null : rawPublicKey(key);
  }

  /** Of that key. */
  keyId(): string | null {
    const key = this.publicKey();
    return key === null ? null : keyId(key);
  }

  /** What stands in the node's status; no values are in it. */
  conditions(): SourceCondition[] {
    const unopened = new Set(this.unopened());
    const names = [...this.#all().values()].filter(one => unopened.has(one.digest)).map(keyOf);
    if (names.length === 0) return [];
    const shown = names.sort().slice(0, NAMED_MAX).join(', ');
    const message = `${names.length} cannot be opened with the keys of this node: ${shown}; flotilla secret seal --missing`;
    return [{ type: 'SecretsReadable', status: 'False', reason: 'SecretNotSealed', message }];
  }

  // --------------------------------------------------------------------------------- for the pods

  objects(): readonly ConfigObject[] {
    this.#objects ??= this.#read();
    return this.#objects;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The node has another key. */
  keysChanged(): void {
    this.#changed();
  }

  #changed(): void {
    this.#objects = null;
    this.#kept = null;
    for (const listener of this.#listeners) listener();
  }

  #rollback(secret: AssignedSecret): Refusal | null {
    const floor = this.#options.store.floor(secret);
    const epoch = this.#options.assignment()?.epoch;
    if (floor === null || floor.epoch !== epoch || secret.version >= floor.version) return null;
    const detail = `secret ${keyOf(secret)}: version ${secret.version} after ${floor.version}`;
    return refuse('Rollback', detail).refusal;
  }

  #listed(): readonly AssignedSecret[] {
    return this.#options.assignment()?.secrets ?? [];
  }

  #all(): ReadonlyMap<string, KeptSecret> {
    this.#kept ??= new Map(this.#options.store.all().map(secret => [keyOf(secret), secret]));
    return this.#kept;
  }

  #read(): ConfigObject[] {
    const listed = new Set(this.#listed().map(keyOf));
    return [...this.#all().values()]
      .filter(secret => listed.has(keyOf(secret)))
      .flatMap(secret => this.#objectOf(secret) ?? []);
  }

  #objectOf(kept: KeptSecret): ConfigObject | null {
    const { log } = this.#options;
    try {
      const first = this.#open(kept);
      const names = [...first.data.keys()];
      first.wipe();
      return {
        kind: 'Secret',
        namespace: kept.namespace,
        name: kept.name,
        type: first.type,
        // The hub makes no other version of one that is.
        isImmutable: false,
        data: new SealedData(() => this.#open(kept), names),
        origin: `sealed secret ${keyOf(kept)} version ${kept.version}`,
        bundle: { namespace: kept.namespace, name: kept.bundle },
        sealed: { digest: kept.digest },
      };
    } catch (error) {
      log.warn('a sealed secret cannot be opened', { reason: (error as Error).message });
      return null;
    }
  }

  /** Throws a sentence without values. */
  #open(kept: KeptSecret): OpenedSecret {
    const { node, sealingKeys } = this.#options;
    const document = documentOf(kept);
    if (document === null) throw new Error(`secret ${keyOf(kept)}: does not read back`);
    const opened = openSealed(document, { node, sealingKeys: sealingKeys() });
    if (!opened.ok) throw new Error(opened.refusal.detail);
    return opened.value;
  }
}

/** What was verified when it was kept; null when the bytes are not those any more. */
function documentOf({ envelope, digest }: KeptSecret): SecretDocument | null {
  const opened = openEnvelope(envelope, { kind: 'secret', bytesMax: 2 * MESSAGE_BYTES_MAX });
  if (!opened.ok || sha256Hex(opened.value.payload) !== digest) return null;
  const options = { bytesMax: PAYLOAD_BYTES_MAX, what: 'secret' };
  const parsed = parseCanonical(opened.value.payload, options);
  return parsed.ok ? (parsed.value as SecretDocument) : null;
}
