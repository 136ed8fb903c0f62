/** Tables of validation: a sentence, what is given, the paths that must be named. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { validatePodManifest } from '../../../protocol/pod-validation.js';

/** What is laid over a Pod that is valid. */
export interface Given {
  readonly spec?: object;
  readonly container?: object;
  readonly annotations?: Record<string, string>;
}

export function validated({ spec = {}, container = {}, annotations = {} }: Given) {
  return validatePodManifest(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', annotations },
      spec: { ...spec, containers: [{ name: 'app', image: 'busybox:1', ...container }] },
    },
    { context: 'file' },
  );
}

export function pathsOf(given: Given): string[] {
  const result = validated(given);
  return result.ok ? [] : [...new Set(result.errors.map(({ path }) => path))];
}

export type Row = readonly [string, Given, string[]];

export function table(name: string, rows: readonly Row[]): void {
  describe(name, () => {
    for (const [says, given, paths] of rows) {
      test(`${says} ${paths.length === 0 ? 'passes' : 'is refused'}`, () => {
        assert.deepEqual(pathsOf(given), paths);
      });
    }
  });
}
