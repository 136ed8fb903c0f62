/** Files under the agent's own prefix: what the journal says of them, and what is told of those that do not run. Pure. */
import { OWNED_FILE_PREFIX } from '../../protocol/names.js';

/**
 * True when an accepted bundle of the journal explains these bytes under this name; `altered`: it has a file of this name with other
 * bytes, which who owns it puts back and tells of; `foreign`: as above, and they stay, though they do not say whose they are;
 * `forgotten`: an earlier journal of this node may have explained it, and the one that began anew does not know yet.
 */
export type Explains = (
  fileName: string,
  bytes: Uint8Array,
) => boolean | 'altered' | 'foreign' | 'forgotten';

/** Nothing begins from such a file; what runs, perhaps of it, does not end either. */
export const FORGOTTEN = 'Forgotten';

const ALTERED = 'it is not what its bundle says, and the agent puts it back';

const FOREIGN =
  'it stays as somebody made it (drift: report), and is not run, because it does not say of which bundle and pod it is: keep ' +
  'metadata.name and the annotation flotilla.dev/bundle, and JSON';

/** What is told of them; `what`: their names, or a word for them. */
export function forgottenText(what: string): string {
  return (
    `the journal began anew and does not know what ${what} ${what === 'it' ? 'was' : 'were'} promised for: what runs goes on, ` +
    'and nothing is begun with it, until the hub has said what is to run'
  );
}

const NOT_EXPLAINED =
  'no accepted bundle explains this file, whose name is reserved for the agent; ' +
  'give a manifest of your own another name';

const FAULTS = {
  altered: ['Altered', ALTERED],
  foreign: ['Foreign', FOREIGN],
  forgotten: [FORGOTTEN, forgottenText('it')],
  unknown: ['NotExplained', NOT_EXPLAINED],
} as const;

/** Why this file is not run; null: nothing of that kind. */
export function unexplained(
  name: string,
  how: ReturnType<Explains>,
): { readonly reason: string; readonly message: string } | null {
  if (how === true || !name.startsWith(OWNED_FILE_PREFIX)) return null;
  const [reason, why] = FAULTS[how === false ? 'unknown' : how];
  return { reason, message: `${name}: ${why}` };
}
