/**
 * Composes YAML up to the first thing that is wrong. The library goes on after it and keeps all errors, which take a thousand times
 * the bytes of a text whose every line is wrong. Pure.
 */
import { Composer, Lexer, Parser, type Document } from 'yaml';

/** How far the text was read. */
export interface Progress {
  readonly offset: number;
  /** Of collections that are open. */
  readonly depth: number;
  readonly tokens: number;
}

export interface ComposeOptions {
  readonly composer: ConstructorParameters<typeof Composer>[0];
  readonly onNewLine?: (offset: number) => void;
  /** What is thrown for an error of the library, with its words and code. */
  readonly fault: (offset: number, message: string, code: string) => Error;
  /** Asked for each token, before anything is built; throws for what is too much. */
  readonly check: (progress: Progress) => void;
}

/** Document by document. Warnings stay with their document. */
export function* composeYaml(text: string, options: ComposeOptions): Generator<Document.Parsed> {
  const { fault, check } = options;
  const parser = new Parser(options.onNewLine);
  const composer = new Composer(options.composer);
  // Not of the library's interface: without it errors are kept, and found where the documents are looked at.
  Object.assign(composer, { onError: throwing(composer, fault) });
  let tokens = 0;
  for (const lexeme of new Lexer().lex(text)) {
    tokens += 1;
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error') throw fault(token.offset, token.message, 'UNEXPECTED_TOKEN');
      yield* composer.next(token);
    }
    // The document itself, and what is written at its top, are on the stack too.
    check({ offset: parser.offset, depth: parser.stack.length - 2, tokens });
  }
  for (const token of parser.end()) yield* composer.next(token);
  yield* composer.end();
}

type ErrorSource = number | readonly [number, ...number[]] | { readonly offset: number };
type OnError = (source: ErrorSource, code: string, message: string, warning?: boolean) => void;

function throwing(composer: Composer, fault: ComposeOptions['fault']): OnError {
  const { onError: keep } = composer as unknown as { readonly onError?: OnError };
  let first: Error | null = null;
  return (source, code, message, warning) => {
    if (warning === true) return keep?.(source, code, message, warning);
    // Each collection around it catches what is thrown and reports it once more, as its own.
    first ??= fault(offsetOf(source), message, code);
    throw first;
  };
}

function offsetOf(source: ErrorSource): number {
  if (typeof source === 'number') return source;
  return 'offset' in source ? source.offset : source[0];
}
