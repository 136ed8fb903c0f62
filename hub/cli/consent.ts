/** What cannot be taken back, at the operator's: asked on a terminal, wanted as an option elsewhere (`protocol/consent.ts`). */
import { asked, consented } from '../../protocol/consent.js';
import type { Context } from './context.js';

export { YES } from '../../protocol/consent.js';

export interface Consent {
  /** Whether the option was given. */
  readonly given: boolean | undefined;
  /** The option that says yes beforehand. */
  readonly option?: string;
}

/** `question`: what will happen, with a question mark. Throws `CliError` (refused) unless somebody said yes. */
export async function agree(
  { terminal }: Pick<Context, 'terminal'>,
  question: string,
  { given, option }: Consent,
): Promise<void> {
  if (given === true) return;
  consented(question, await terminal.ask(asked(question)), option);
}
