/** The port at which people ask about rollouts and say what they want of them: types only. */
import type { Actor } from '../store/store.js';
import type { RevisionEntry } from './read-history.js';
import type { Verb } from './waves/verbs.js';
import type { RolloutView } from './waves/view.js';

/** The rollouts of bundles, for people. */
export interface RolloutDesk {
  /** A sentence that says what follows. Throws NotFound, Conflict for what cannot be said of it as it stands. */
  say(
    actor: Actor,
    word: {
      readonly namespace: string;
      readonly name: string;
      readonly verb: Verb;
      /** May be empty. */
      readonly reason: string;
      /** Of promote: whatever stands in the way. */
      readonly isForced: boolean;
      /** Of promote: what that person saw; another wave is not promoted. Null: not said. */
      readonly seen: { readonly revision: number; readonly wave: number } | null;
    },
  ): Promise<string>;
  /** Every revision of the bundle, ascending; of one that was deleted too. Empty: there was none of that name. */
  history(of: {
    readonly namespace: string;
    readonly name: string;
  }): Promise<readonly RevisionEntry[]>;
  /** `node`: to be told why of this one; null: of none. Throws NotFound. */
  view(of: {
    readonly namespace: string;
    readonly name: string;
    readonly node: string | null;
  }): Promise<RolloutView>;
}
