/** Signed bundles and the blobs that they name, as the journal holds them: each by its digest. */
import { sha256Hex } from '../../protocol/canonical.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { Clock } from '../../protocol/ports.js';
import type { Verified } from '../../protocol/verified.js';
import type { BundleName } from '../ports.js';
import * as content from './content.js';
import type { Connection } from './database.js';
import { keptContent, type KeptContent } from './kept-content.js';
import { readBack } from './trust.js';
import type { Writer } from './writer.js';

export class HeldContent {
  readonly #db: Connection;
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #documents = new Map<string, BundleDocument>();
  /** SHA-256 of the envelopes that read back, by the bundle's digest: the same bytes do so again. */
  readonly #sound = new Map<string, string>();

  constructor(db: Connection, writer: Writer, clock: Clock) {
    this.#db = db;
    this.#writer = writer;
    this.#clock = clock;
  }

  /** What was read may be gone: it is read again. */
  forget(): void {
    this.#documents.clear();
    this.#sound.clear();
  }

  kept(): KeptContent {
    return keptContent(this.#db);
  }

  /** The digest that this node knows for a revision's number. */
  knownDigest(bundle: BundleName, revision: number): string | null {
    return content.knownDigest(this.#db, bundle, revision);
  }

  /** The number of a revision whose digest is remembered, its content kept or not. */
  revisionOf(digest: string): number | null {
    return content.listRevisions(this.#db).find(one => one.digest === digest)?.revision ?? null;
  }

  rollbackFloor(bundle: BundleName): number {
    return content.rollbackFloor(this.#db, bundle);
  }

  storeBundle(bundle: Verified<BundleDocument>): void {
    this.#writer.soon(() => content.insertRevision(this.#db, this.#clock.now(), bundle));
  }

  bundleDocument(digest: string): BundleDocument | null {
    const known = this.#documents.get(digest);
    if (known) return known;
    const document = content.readRevision(this.#db, digest);
    if (document) this.#documents.set(digest, document);
    return document;
  }

  /** The bundle as it was signed; null when it is not here any more, or carries other content by now. */
  bundleEnvelope(digest: string): Buffer | null {
    const envelope = content.storedEnvelope(this.#db, digest);
    if (envelope === null) return null;
    const hash = sha256Hex(envelope);
    if (this.#sound.get(digest) === hash) return envelope;
    if (readBack('bundle', envelope, digest) === null) return null;
    this.#sound.set(digest, hash);
    return envelope;
  }

  hasBlob(digest: string): boolean {
    return content.hasBlob(this.#db, digest);
  }

  storeBlob(digest: string, bytes: Uint8Array): void {
    this.#writer.soon(() => content.insertBlob(this.#db, digest, bytes));
  }

  blob(digest: string): Buffer | null {
    return content.readBlob(this.#db, digest);
  }

  /** A blob that does not read back as its name says: it has to be fetched again. */
  dropBlob(digest: string): void {
    this.#writer.durably(() => this.#db.prepare('DELETE FROM blobs WHERE digest = ?').run(digest));
  }
}
