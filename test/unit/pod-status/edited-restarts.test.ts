/** Restart counts of a container that was edited: to a kubelet an edited static pod is a new pod, whose containers begin at 0. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noteRuns, type KnownRuns } from '../../../agent/pods/status-history.js';
import type { ObservedContainer } from '../../../agent/runtime/runtime.js';
import { containerOf, manifest, T0, wish } from '../../support/pods.js';

const pod = wish(manifest('web'));
const APP: ReadonlySet<string> = new Set(['app']);
const NONE: ReadonlySet<string> = new Set();

function run(id: string, attempt: number, hash: string): ObservedContainer {
  const createdAt = new Date(T0 + attempt * 10);
  return containerOf(pod, 'app', { id, attempt, hash, createdAt, startedAt: createdAt });
}

const ROWS: readonly (readonly [string, readonly ObservedContainer[], number])[] = [
  ['an edit is no restart', [run('a', 0, 'one'), run('b', 1, 'two')], 0],
  ['nor are five edits', [0, 1, 2, 3, 4, 5].map(n => run(`${n}`, n, `hash ${n}`)), 0],
  ['what crashed before the edit is forgotten', [run('a', 7, 'one'), run('b', 8, 'two')], 0],
  [
    'a crash after the edit counts',
    [run('a', 7, 'one'), run('b', 8, 'two'), run('c', 9, 'two')],
    1,
  ],
  ['a crash without an edit counts', [run('a', 0, 'one'), run('b', 1, 'one')], 1],
];

describe('restarts of a container that was edited', () => {
  for (const [sentence, runs, restarts] of ROWS) {
    test(`${sentence}: ${restarts}`, () => {
      const known = runs.reduce<KnownRuns>((before, one) => noteRuns(before, [one], APP), {});
      assert.equal(known['app']?.restarts, restarts);
    });
  }

  test('one that was taken out of the pod and comes back begins at 0, its former run gone or still ending', () => {
    const was = noteRuns({}, [run('a', 3, 'one')], APP);
    const ending = noteRuns(was, [run('a', 3, 'one')], NONE);
    const back = noteRuns(ending, [run('b', 4, 'one'), run('a', 3, 'one')], APP);
    assert.equal(back['app']?.restarts, 0);
    const gone = noteRuns(ending, [], NONE);
    assert.deepEqual(gone, {});
    const anew = noteRuns(gone, [{ ...run('b', 0, 'one'), createdAt: new Date(T0 + 90) }], APP);
    assert.equal(anew['app']?.restarts, 0);
  });

  test('a memory of an older agent knows nothing of edits: its count goes on', () => {
    const [{ hash: _hash, ...old } = { hash: '' }] = Object.values(
      noteRuns({}, [run('a', 3, 'one')], APP),
    );
    const known = noteRuns({ app: old as KnownRuns[string] }, [run('b', 4, 'two')], APP);
    assert.equal(known['app']?.restarts, 4);
  });
});
