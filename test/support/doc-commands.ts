/** Commands as a page of the manual gives them: the fenced blocks with one word after the fence, in their order. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const CHECKOUT = join(import.meta.dirname, '../../..');

/** Throws when the page has no such block any more. */
export function commandsOf(page: string, fence: string): string {
  const text = readFileSync(join(CHECKOUT, page), 'utf8');
  const blocks = [...text.matchAll(new RegExp(`^\`\`\`${fence}\\n(.*?)^\`\`\`$`, 'gms'))];
  if (blocks.length === 0) throw new Error(`${page} has no block ${fence}`);
  return blocks.map(([, commands]) => commands).join('');
}
