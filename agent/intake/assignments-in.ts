/**
 * The way of an assignment into the journal: checked by `protocol/verify-assignment`, held while a root that may make it good is on
 * its way, refused with a reason, or accepted in one transaction. What the time alone speaks against is looked at again when the hub
 * told the time.
 */
import { keyId } from '../../protocol/keys.js';
import type { Log } from '../../protocol/ports.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import { unwrapped, type Patch } from '../../protocol/patches.js';
import type { Refusal } from '../../protocol/refusal.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openAssignment, type OpenedAssignment } from '../../protocol/verify-assignment.js';
import type { Journal } from '../journal/journal.js';
import type { NodeIdentity } from '../report/node.js';
import type { SealedSecrets } from '../secrets/sealed-secrets.js';
import type { TimeKeeper } from '../time/time-keeper.js';
import { rootRefuses, withdrawnRefusal } from './decide.js';
import type { Requests } from './requests.js';
import type { RootWalk } from './roots.js';

export interface AssignmentsInOptions {
  readonly identity: NodeIdentity;
  readonly journal: Pick<Journal, 'accepted' | 'acceptAssignment' | 'conditions' | 'freshNonce'>;
  readonly time: Pick<TimeKeeper, 'now' | 'doubt' | 'assigned'>;
  readonly agentVersion: string;
  readonly log: Log;
  readonly secrets?: SealedSecrets;
  readonly root: () => TrustedRoot;
  readonly requests: Pick<Requests, 'hold' | 'assignmentRefused'>;
  readonly roots: Pick<RootWalk, 'hold' | 'dropAssignment'>;
  /** Another one than before is in the journal. */
  readonly onAccepted: () => void;
  /** The one that is accepted came again: what was refused meanwhile is past. */
  readonly onConfirmed: () => void;
  /** What came with the accepted one; called before `onAccepted` or `onLook`. */
  readonly onPatches: (patches: readonly Patch[], document: AssignmentDocument) => void;
  /** A root has to come first, or more may be here of what the accepted one needs. */
  readonly onLook: () => void;
  readonly onRefusal: (refusal: Refusal, payload: Buffer, topic: string) => void;
}

export class AssignmentsIn {
  readonly #options: AssignmentsInOptions;
  /** Refused for the time alone. */
  #expired: { readonly payload: Buffer; readonly topic: string } | null = null;

  constructor(options: AssignmentsInOptions) {
    this.#options = options;
  }

  /** Duplicates change nothing. @throws what the disk throws: then nothing was accepted */
  receive(payload: Buffer, topic: string): void {
    const { identity, journal, root, roots, requests } = this.#options;
    const nonce = journal.freshNonce();
    const { envelope, patches } = unwrapped(payload);
    const opened = openAssignment(envelope, {
      root: root(),
      node: identity.node,
      nodeKey: keyId(identity.signer.publicKey),
      accepted: journal.accepted(),
      nonce,
      freshOnly: nonce !== null,
      now: this.#options.time.now().now,
    });
    if (opened.ok) {
      roots.dropAssignment();
      this.#expired = null;
      const { changed, document } = opened.value;
      const unfit = changed ? this.#unfit(opened.value) : null;
      if (unfit) return this.#refused(unfit, payload, topic);
      if (changed) this.#accept(opened.value, payload, topic);
      this.#options.onPatches(patches, document);
      if (changed) return this.#options.onAccepted();
      this.#options.onConfirmed();
      return patches.length > 0 ? this.#options.onLook() : undefined;
    }
    if (roots.hold(opened.refusal, payload, root())) return this.#options.onLook();
    this.#refused(opened.refusal, payload, topic);
    requests.assignmentRefused();
  }

  /** The hub told it. @throws what the disk throws */
  timeLearned(): void {
    const expired = this.#expired;
    this.#expired = null;
    if (expired) this.receive(expired.payload, expired.topic);
  }

  /** Genuine, and yet not to be accepted under this root. */
  #unfit({ document }: OpenedAssignment): Refusal | null {
    const { journal, agentVersion, time } = this.#options;
    const root = this.#options.root().document;
    const accepted = journal.accepted()?.document ?? null;
    return (
      rootRefuses(root, time.now().now, agentVersion) ??
      withdrawnRefusal(document, { accepted, root })
    );
  }

  #accept(opened: OpenedAssignment, payload: Buffer, topic: string): void {
    const { journal, log, secrets, time } = this.#options;
    journal.acceptAssignment(opened);
    secrets?.assigned().forEach(one => this.#options.onRefusal(one, payload, topic));
    const { epoch, generation, bundles } = opened.document;
    log.info('assignment accepted', { epoch, generation, bundles: bundles.length });
    time.assigned();
  }

  /** A journal that is new asks at once. What the time alone speaks against may be right once the hub told it. */
  #refused(refusal: Refusal, payload: Buffer, topic: string): void {
    const { journal, requests, onRefusal, time } = this.#options;
    const isNew = refusal.code === 'NotFresh' && !journal.conditions().length;
    if (isNew && requests.hold({ refusal, payload, topic })) return;
    onRefusal(refusal, payload, topic);
    if (refusal.code !== 'Expired') return;
    this.#expired = { payload, topic };
    time.doubt();
  }
}
