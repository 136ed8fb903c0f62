/** The vectors under `test/vectors/` and the inputs under `test/fuzz/corpus/` as first inputs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WireVector } from '../support/make-wire-vectors.js';

const FOLDER = join(import.meta.dirname, '../../../test/vectors');

/** Good ones first. */
export function wireVectors(): readonly WireVector[] {
  return ['valid', 'invalid'].flatMap(part =>
    readdirSync(join(FOLDER, 'wire', part))
      .sort()
      .map(
        name => JSON.parse(readFileSync(join(FOLDER, 'wire', part, name), 'utf8')) as WireVector,
      ),
  );
}

/** Of one file ending, good and bad ones. */
export function manifestVectors(ending: '.yaml' | '.json'): readonly Buffer[] {
  return ['valid', 'invalid'].flatMap(part =>
    readdirSync(join(FOLDER, 'manifests', part))
      .filter(name => name.endsWith(ending))
      .sort()
      .map(name => readFileSync(join(FOLDER, 'manifests', part, name))),
  );
}

const CORPUS = join(import.meta.dirname, '../../../test/fuzz/corpus');

/** Inputs that are kept for a target: minimized findings of former days. */
export function corpusOf(target: string): readonly Buffer[] {
  const folder = join(CORPUS, target.replaceAll('/', '-'));
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map(name => readFileSync(join(folder, name)));
}
