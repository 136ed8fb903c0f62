/** Secret keys of age, as age-keygen writes them to a file. */
import { readPrivateFile } from './private-files.js';
import { SetupError } from './setup-error.js';

/** At least one. `option` names the file in messages. Throws `SetupError`: Missing, Mode, BadSetting. */
export function readIdentities(path: string, option: string): string[] {
  const text = readPrivateFile(path);
  if (text === null) throw new SetupError('Missing', `${option}: no such file: ${path}`);
  const found = text.split(/\r?\n/).filter(line => /^AGE-SECRET-KEY-/.test(line));
  if (found.length > 0) return found;
  throw new SetupError(
    'BadSetting',
    `${path}: holds no key of age (AGE-SECRET-KEY-1…); make one with age-keygen`,
  );
}
