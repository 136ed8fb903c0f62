/**
 * The terminal as the commands see it: the one place of the CLI that knows about streams, colours and questions.
 */
import { CliError } from '../../protocol/cli-error.js';
import { createInterface, type Interface } from 'node:readline/promises';
import { once } from 'node:events';
import { Writable, type Readable } from 'node:stream';

export interface Terminal {
  /** True when a person reads stdout. */
  readonly interactive: boolean;
  readonly width: number;
  readonly stdin: Readable;
  /** For bytes that are not the CLI's own: what a container said. */
  readonly streams: Streams;
  /** A line to stdout. */
  print(line: string): void;
  /** Text to stdout as it is. */
  write(text: string): void;
  /** A line to stderr. */
  warn(line: string): void;
  /** Replaces the last progress lines; on anything but a terminal nothing is shown. */
  progress(lines: readonly string[]): void;
  /** Null when nobody can answer; throws `CliError` when the person gives up (Ctrl-C, Ctrl-D). */
  ask(question: string): Promise<string | null>;
  /** The answer is not shown. Null when nobody can answer; throws `CliError` when the person gives up. */
  askSecret(question: string): Promise<string | null>;
}

export interface Streams {
  readonly stdin: Readable & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  /** A terminal emits `resize`. */
  readonly stdout: Writable & { isTTY?: boolean; columns?: number; rows?: number };
  readonly stderr: Writable;
}

export function terminalOf(streams: Streams): Terminal {
  const interactive = streams.stdout.isTTY === true;
  let shown = 0;
  const clear = () => {
    if (shown > 0) streams.stdout.write(`\u001b[${shown}A\u001b[J`);
    shown = 0;
  };
  return {
    interactive,
    // A terminal that does not know its width says 0.
    width: streams.stdout.columns || 80,
    stdin: streams.stdin,
    streams,
    print: line => {
      clear();
      streams.stdout.write(`${line}\n`);
    },
    write: text => {
      clear();
      streams.stdout.write(text);
    },
    warn: line => {
      clear();
      streams.stderr.write(`${line}\n`);
    },
    progress: lines => {
      if (!interactive) return;
      clear();
      // A line that wraps would be two, and clearing goes by lines.
      const room = (streams.stdout.columns || 80) - 1;
      for (const line of lines) streams.stdout.write(`${line.slice(0, room)}\n`);
      shown = lines.length;
    },
    ask: async question => {
      if (!interactive || streams.stdin.isTTY !== true) return null;
      const readline = createInterface({ input: streams.stdin, output: streams.stdout });
      return answerTo(readline, question).catch((error: unknown) => {
        streams.stdout.write('\n');
        throw error;
      });
    },
    askSecret: async question => {
      if (streams.stdin.isTTY !== true) return null;
      clear();
      // readline puts the terminal into raw mode, edits the line, and echoes it into nothing: before the question shows.
      const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
      const readline = createInterface({ input: streams.stdin, output: nowhere, terminal: true });
      streams.stderr.write(question);
      try {
        return await answerTo(readline, '');
      } finally {
        streams.stderr.write('\n');
      }
    },
  };
}

/** Ctrl-C and Ctrl-D close the line; the question itself then rejects, or never settles, as Node's version has it. */
async function answerTo(readline: Interface, question: string): Promise<string> {
  const givenUp = () => {
    throw new CliError('failed', 'given up at a question');
  };
  try {
    const closed = once(readline, 'close').then(givenUp);
    return await Promise.race([readline.question(question).catch(givenUp), closed]);
  } finally {
    readline.close();
  }
}
