/** The vectors under `test/vectors/` as first inputs. */
import { readdirSync, readFileSync } from 'node:fs';
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
