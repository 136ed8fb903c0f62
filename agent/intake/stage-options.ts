/** What staging is handed: types only. */
import type { Clock, Log } from '../../protocol/ports.js';
import type { ImagesAhead } from '../images/ahead.js';
import type { Journal } from '../journal/journal.js';
import type { BundleName } from '../ports.js';
import type { Readiness } from '../readiness/readiness.js';
import type { SealedSecrets } from '../secrets/sealed-secrets.js';
import type { Whereabouts } from './lacking.js';
import type { LockGate } from './lock-gate.js';
import type { OwnedDirectory } from './owned-files.js';
import type { NodeRules } from './verdicts.js';
import type { WindowGate } from './window-gate.js';

export interface StageOptions extends NodeRules {
  /** What the root withdrew runs on, or ends; absent: it runs on (S19). */
  readonly revokedBundles?: 'keep' | 'stop';
  readonly journal: Journal;
  readonly directory: OwnedDirectory;
  /** What becomes of files that a person changed; absent: they are put back. */
  readonly drift?: 'restore' | 'report' | undefined;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
  readonly whereabouts: (digest: string) => Whereabouts;
  /** Pulled before the switch; left out where somebody else runs the pods. */
  readonly images?: Pick<ImagesAhead, 'hold' | 'confirm' | 'drop' | 'dropReturn'> | undefined;
  /** Left out where the node has no key to open any. */
  readonly secrets?: SealedSecrets | undefined;
  /** Left out: at any time. */
  readonly windows?: WindowGate | undefined;
  /** Left out: pods have no way to ask for time. */
  readonly locks?: LockGate | undefined;
  /** Whether the node could go back; left out: nothing waits for it. */
  readonly readiness?: Pick<Readiness, 'undoFault'> | undefined;
  /** The files of a revision that was given up are in place for another attempt; left out: nobody waits for that. */
  readonly onTriedAgain?: ((bundle: BundleName) => void) | undefined;
  /** Whether a Secret lies in the static pod directory, where a person put it. */
  readonly hasLocalSecret?: ((secret: BundleName) => boolean) | undefined;
}
