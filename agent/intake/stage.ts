/**
 * Brings the static pod directory to what the accepted assignment says, bundle by bundle, from what
 * the journal holds. A pass may run at any time and does nothing when nothing is to be done; it
 * returns what is lacking. Each bundle waits or fails alone, its former revision running on. Asks
 * nobody for anything.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type {
  AssignedBundle,
  AssignedSecret,
  AssignmentDocument,
} from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { BundleState } from '../../protocol/documents/node.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import type { Log } from '../../protocol/ports.js';
import type { Refusal, Result } from '../../protocol/refusal.js';
import {
  bundleKey,
  conflictWith,
  memoryAllows,
  rootAllows,
  type Occupied,
  type StagedManifest,
} from './decide.js';
import { configFirst, PromisedDirectory } from './directory.js';
import { blobsOf } from '../journal/content.js';
import type { BundleRecord, Journal } from '../journal/journal.js';
import type { OwnedDirectory } from './owned-files.js';
import type { SealedSecrets } from '../secrets/sealed-secrets.js';
import { Verdicts, type NodeRules } from './verdicts.js';
import type { BundleName, SourceCondition } from '../ports.js';

/** What a bundle lacks. */
export interface Lacking {
  readonly digest: string;
  readonly size: number;
  /** Set when it is the bundle's own envelope. */
  readonly envelopeOf: AssignedBundle | null;
  /** Set when it is a sealed Secret; its size is not known. */
  readonly secret?: AssignedSecret;
}

/** What is known about something that is not here. */
export type Whereabouts =
  | { readonly is: 'coming' | 'missing' | 'slow' | 'absent' }
  /** Bytes came and were refused; `final`: no other bytes could do better. */
  | { readonly is: 'refused'; readonly refusal: Refusal; readonly final: boolean };

export interface StageOptions extends NodeRules {
  /** What the root withdrew runs on, or ends; absent: it runs on (S19). */
  readonly revokedBundles?: 'keep' | 'stop';
  readonly journal: Journal;
  readonly directory: OwnedDirectory;
  readonly log: Log;
  readonly whereabouts: (digest: string) => Whereabouts;
  /** Left out where the node has no key to open any. */
  readonly secrets?: SealedSecrets | undefined;
  /** Whether a Secret lies in the static pod directory, where a person put it. */
  readonly hasLocalSecret?: ((secret: BundleName) => boolean) | undefined;
}

interface Step {
  readonly state: BundleState;
  readonly reason: string;
  readonly message: string;
}

export class Stage {
  readonly #options: StageOptions;
  readonly #verdicts: Verdicts;
  readonly #directory: PromisedDirectory;

  constructor(options: StageOptions) {
    this.#options = options;
    this.#directory = new PromisedDirectory(options);
    this.#verdicts = new Verdicts({ ...options, directory: this.#directory });
  }

  /**
   * True while a pass should be tried again later: the directory could not be brought to what is
   * promised.
   */
  needsRetry(): boolean {
    return this.#directory.needsRetry();
  }

  /** The directory is compared again with the next pass. */
  distrustDirectory(): void {
    this.#directory.distrust();
  }

  /** True for bytes that an accepted bundle put under this name. */
  explains(file: string, bytes: Uint8Array): boolean {
    return this.#options.journal.files().get(file)?.content === sha256Hex(bytes);
  }

  pass(assignment: AssignmentDocument | null, root: RootDocument | null): Lacking[] {
    this.#directory.repair();
    if (root && this.#options.revokedBundles === 'stop') this.#stopRevoked(root);
    if (!assignment || !root) return [];
    this.#removeUnassigned(assignment);
    // One bundle may wait for what another gives up in the same assignment.
    for (;;) {
      const before = this.#options.journal.files();
      const lacking = assignment.bundles.flatMap(assigned => this.#advance(assigned, root));
      if (this.#options.journal.files() === before) return [...lacking, ...this.#lackingSecrets()];
    }
  }

  conditions(root: RootDocument): SourceCondition[] {
    const revoked = this.#revoked(root).map(({ record }) => record);
    const conditions = this.#directory.conditions();
    if (revoked.length === 0) return conditions;
    const message = `the root withdrew what runs of ${revoked.map(bundleKey).join(', ')}; it runs on and never begins again`;
    return [...conditions, { type: 'RevokedRunning', status: 'True', reason: 'Denied', message }];
  }

  // --------------------------------------------------------------------------------------- one
  // bundle

  #advance(assigned: AssignedBundle, root: RootDocument): Lacking[] {
    const { journal } = this.#options;
    const record = journal.bundles().find(bundle => bundleKey(bundle) === bundleKey(assigned));
    const settled =
      record?.active === assigned.digest &&
      record.digest === assigned.digest &&
      record.attempt === assigned.attempt;
    if (settled && !this.#directory.isBroken(assigned)) return [];
    const settle = (step: Step) => this.#settle(assigned, record, step);

    const allowed = this.#allowed(assigned, root);
    if (!allowed.ok) return settle(failed(allowed.refusal));
    const isActive = record?.active === assigned.digest;
    const lacking = this.#lacking(assigned, isActive ? null : root);
    if (lacking.length > 0) {
      settle(this.#waitingFor(lacking));
      return lacking;
    }
    const document = journal.bundleDocument(assigned.digest);
    if (!document) return [];
    const unsealed = this.#options.runtimeNone === true ? null : this.#unsealed(document);
    if (unsealed !== null) return settle(unsealed);
    const staged = this.#verdicts.of(document, {
      bundle: assigned,
      root,
      isActive,
    });
    if (staged === null) {
      const again = this.#lacking(assigned, null);
      settle(this.#waitingFor(again));
      return again;
    }
    if (!staged.ok) return settle(failed(staged.refusal));
    const wanted = { bundle: assigned, pods: staged.value.flatMap(({ pod }) => pod ?? []) };
    const conflict = conflictWith(wanted, this.#occupied());
    if (conflict) return settle({ state: 'waiting', reason: 'Conflict', message: conflict });
    this.#activate(assigned, record, staged.value);
    return [];
  }

  #allowed(assigned: AssignedBundle, root: RootDocument): Result<null> {
    const { journal } = this.#options;
    const byRoot = rootAllows(assigned, root);
    if (!byRoot.ok) return byRoot;
    return memoryAllows(assigned, {
      knownDigest: journal.knownDigest(assigned, assigned.revision),
      rollbackFloor: journal.rollbackFloor(assigned),
    });
  }

  /** `root`: of a bundle that is to begin; what its keys did not sign may have been signed anew since. */
  #lacking(assigned: AssignedBundle, root: RootDocument | null): Lacking[] {
    const { journal } = this.#options;
    const document = journal.bundleDocument(assigned.digest);
    if (!document || (root && !this.#verdicts.isSigned(assigned, root))) {
      return [{ digest: assigned.digest, size: assigned.size, envelopeOf: assigned }];
    }
    const unique = new Map(blobsOf(document).map(blob => [blob.digest, blob]));
    return [...unique.values()]
      .filter(({ digest }) => !journal.hasBlob(digest))
      .map(({ digest, size }) => ({ digest, size, envelopeOf: null }));
  }

  #waitingFor(lacking: readonly Lacking[]): Step {
    const found = lacking.map(({ digest }) => this.#options.whereabouts(digest));
    for (const where of found) {
      if (where.is !== 'refused') continue;
      const { code, detail } = where.refusal;
      return { state: where.final ? 'failed' : 'waiting', reason: code, message: detail };
    }
    const first = (is: string) => lacking[found.findIndex(where => where.is === is)]?.digest;
    const absent = first('absent');
    if (absent) {
      return { state: 'failed', reason: 'BlobAbsent', message: `the hub has no blob ${absent}` };
    }
    const slow = first('slow');
    if (slow) {
      const message = `blob ${slow} came so slowly that the connection was ended; it is tried again after all else`;
      return { state: 'waiting', reason: 'SlowRetrieval', message };
    }
    const missing = first('missing');
    if (missing) {
      const message = `blob ${missing} does not come; the hub is asked for it`;
      return { state: 'waiting', reason: 'BlobMissing', message };
    }
    return { state: 'staged', reason: 'Fetching', message: 'fetching what is not here yet' };
  }

  #lackingSecrets(): Lacking[] {
    const lacking = this.#options.secrets?.lacking() ?? [];
    return lacking.map(secret => ({ digest: secret.digest, size: 0, envelopeOf: null, secret }));
  }

  /** What the bundle waits for: a Secret that it names and that is not sealed for this node, or has not come. */
  #unsealed(document: BundleDocument): Step | null {
    const { secrets, hasLocalSecret } = this.#options;
    const isOwn = ({ secret }: Lacking) =>
      secret?.namespace === document.namespace && secret.bundle === document.name;
    const coming = this.#lackingSecrets().filter(isOwn);
    for (const name of document.secrets) {
      const next = coming.find(({ secret }) => secret?.name === name);
      if (next !== undefined) return { ...this.#waitingFor([next]), state: 'waiting' };
      const { namespace } = document;
      if (secrets?.has(document, name) === true || hasLocalSecret?.({ namespace, name })) continue;
      const message = `secret "${name}" is not sealed for this node: flotilla secret seal --missing`;
      return { state: 'waiting', reason: 'SecretNotSealed', message };
    }
    return null;
  }

  #occupied(): Occupied[] {
    const { journal } = this.#options;
    return journal.bundles().flatMap(record => {
      const document = record.active === null ? null : journal.bundleDocument(record.active);
      if (!document) return [];
      const entries = document.manifests.filter(({ kind }) => kind === 'Pod');
      const pods = entries.flatMap(entry => {
        const content = this.#directory.contentOf(entry);
        return content ? [JSON.parse(content.toString('utf8')) as Pod] : [];
      });
      return [{ bundle: record, pods }];
    });
  }

  #activate(
    assigned: AssignedBundle,
    record: BundleRecord | undefined,
    staged: readonly StagedManifest[],
  ): void {
    const { journal } = this.#options;
    const bytesOf = new Map(staged.map(({ owned, bytes }) => [owned.file, bytes]));
    const files = configFirst(staged.map(({ owned }) => owned));
    const names = new Set(files.map(({ file }) => file));
    const message = `${files.length} manifests in the static pod directory`;
    const step = transition(assigned, { state: 'activating', reason: 'FilesWritten', message });
    const done = this.#directory.change({
      write: files.flatMap(({ file }) => {
        const bytes = bytesOf.get(file);
        return bytes === undefined ? [] : [{ file, bytes }];
      }),
      remove: this.#directory.filesOf(assigned).filter(file => !names.has(file)),
      commit: () => journal.activate(step, files),
    });
    if (!done) {
      const fault = this.#directory.fault();
      const reason = fault?.fault ?? 'WriteFailed';
      this.#settle(assigned, record, { state: 'waiting', reason, message: fault?.message ?? '' });
      return;
    }
    this.#directory.restored(assigned);
    this.#options.log.info('bundle activated', {
      bundle: bundleKey(assigned),
      revision: assigned.revision,
    });
  }

  /** Bundles whose running revision the root denies or has below a floor, with what it says. */
  #revoked(root: RootDocument): { readonly record: BundleRecord; readonly refusal: Refusal }[] {
    const { journal } = this.#options;
    return journal.bundles().flatMap(record => {
      if (record.active === null) return [];
      // What is active may be another revision than the one that the record speaks of.
      const revision = journal.bundleDocument(record.active)?.revision ?? record.revision;
      const allowed = rootAllows({ ...nameOf(record), revision, digest: record.active }, root);
      return allowed.ok ? [] : [{ record, refusal: allowed.refusal }];
    });
  }

  #stopRevoked(root: RootDocument): void {
    const { journal, log } = this.#options;
    for (const { record, refusal } of this.#revoked(root)) {
      const step = transition(record, failed(refusal));
      const done = this.#directory.change({
        write: [],
        remove: this.#directory.filesOf(record),
        commit: () => journal.activate(step, []),
      });
      if (done) log.warn('bundle stopped: the root withdrew it', { bundle: bundleKey(record) });
    }
  }

  #removeUnassigned(assignment: AssignmentDocument): void {
    const { journal } = this.#options;
    const assigned = new Set(assignment.bundles.map(bundleKey));
    for (const record of journal.bundles()) {
      if (assigned.has(bundleKey(record)) || record.state === 'removing') continue;
      const message = 'the assignment does not list it any more';
      const step = transition(record, { state: 'removing', reason: 'NotAssigned', message });
      this.#directory.change({
        write: [],
        remove: this.#directory.filesOf(record),
        commit: () => journal.activate(step, []),
      });
    }
  }

  /** Records a step unless the bundle stands there already. */
  #settle(bundle: AssignedBundle, record: BundleRecord | undefined, step: Step): [] {
    const { journal, log } = this.#options;
    const same =
      record?.state === step.state &&
      record.reason === step.reason &&
      record.digest === bundle.digest &&
      record.attempt === bundle.attempt;
    if (same) return [];
    journal.recordTransition(transition(bundle, step));
    if (step.state === 'failed') {
      log.warn('bundle failed', { bundle: bundleKey(bundle), reason: step.reason });
      journal.record({
        type: 'Warning',
        reason: 'BundleFailed',
        message: `revision ${bundle.revision}: ${step.reason}: ${step.message}`,
        involved: { kind: 'Bundle', ...nameOf(bundle), uid: '', fieldPath: '' },
      });
    }
    return [];
  }
}

function failed({ code, detail }: Refusal): Step {
  return { state: 'failed', reason: code, message: detail };
}

function nameOf({ namespace, name }: BundleName): BundleName {
  return { namespace, name };
}

function transition(bundle: Omit<AssignedBundle, 'size'>, step: Step) {
  const { revision, digest, attempt } = bundle;
  return { ...nameOf(bundle), revision, digest, attempt, ...step };
}
