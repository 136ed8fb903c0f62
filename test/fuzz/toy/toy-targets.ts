/** Targets that have bugs, for the tests of the fuzzer itself. */
import { ACCEPTED, refused, type Target } from '../target.js';
import { misbehave, toyParser, wordParser } from './toy-parser.js';

let grown: Buffer[] = [];

export function targets(): Target[] {
  return [
    {
      name: 'doors',
      form: 'bytes',
      seeds: [Buffer.from('nothing of it')],
      run: input => (toyParser(input) ? ACCEPTED : refused('no')),
    },
    {
      name: 'word',
      form: 'text',
      seeds: [Buffer.from('say something')],
      run: input => (wordParser(input.toString()) ? ACCEPTED : refused('no')),
    },
    ...['loop', 'slow', 'grow', 'shout', 'taint'].map((word): Target => ({
      name: word,
      form: 'text',
      seeds: [Buffer.from('harmless'), Buffer.from(word)],
      run: input => {
        if (input.includes('grow')) grown = [Buffer.alloc(96 * 1024 * 1024, 1)];
        const message = misbehave(input.toString());
        return refused(grown.length > 5 ? '' : message);
      },
    })),
  ];
}
