/** What pods were made from: when it is written, what is read back, and that a disk which refuses holds nothing up. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeVersion, encodeVersion, runsAs, Versions } from '../../../agent/pods/versions.js';
import type { DesiredPod } from '../../../agent/pods/desired.js';
import type { ObservedPods } from '../../../agent/runtime/runtime.js';
import { MemoryVersions } from '../../sim/node.js';
import { containerOf, manifest, running, sandboxOf, together, wish } from '../../support/pods.js';

const was = wish(manifest('web', { containers: [{ name: 'a' }, { name: 'b' }] }));
const next = wish(manifest('web', { containers: [{ name: 'a', args: ['x'] }, { name: 'b' }] }));
const NOTHING: ObservedPods = { sandboxes: [], containers: [] };

function setUp(store = new MemoryVersions()) {
  const errors: string[] = [];
  const silent = () => undefined;
  const log = { info: silent, warn: silent, error: (message: string) => errors.push(message) };
  const versions = new Versions(store, log);
  const note = (pods: readonly DesiredPod[], observed: ObservedPods, isObserved = true) =>
    versions.note({
      acting: pods,
      kept: new Set(pods.map(({ uid }) => uid)),
      observed,
      isObserved,
      isBusyWith: () => false,
    });
  return { store, versions, note, errors };
}

describe('a version', () => {
  test('reads back as it was, without what only holds for the moment', () => {
    const rejection = { phase: 'Pending', reason: 'X', message: '', againAt: null } as const;
    const back = decodeVersion(
      encodeVersion({ ...was, rejection, heldEdit: { ...rejection, manifest: null } }),
    );
    const { objects: _objects, ...rest } = was;
    assert.deepEqual({ ...back, objects: undefined }, { ...rest, objects: undefined });
  });

  for (const text of ['', 'null', '{}', '{"version":2}', '{"version":1,"key":"a/b"}']) {
    test(`is none when it reads ${JSON.stringify(text)}`, () => {
      assert.equal(decodeVersion(text), null);
    });
  }

  const a1 = containerOf(next, 'a', { attempt: 1 });
  const dead = containerOf(was, 'a', { state: 'exited' });
  const rows: readonly [string, ObservedPods, boolean, boolean][] = [
    ['when all of it runs', running(was), true, false],
    [
      'not while something of another runs beside it',
      together(running(was), { sandboxes: [], containers: [a1] }),
      false,
      false,
    ],
    [
      'when what is left of the other has ended',
      { sandboxes: [sandboxOf(was)], containers: [dead, a1] },
      false,
      true,
    ],
    [
      'not before anything of it has run',
      { sandboxes: [sandboxOf(was)], containers: [] },
      false,
      false,
    ],
    ['when all of it has ended', { sandboxes: [], containers: [dead] }, true, false],
    [
      'not in a sandbox of another',
      { ...running(was), sandboxes: [sandboxOf(was, { hash: 'x' })] },
      false,
      false,
    ],
  ];
  for (const [says, observed, before, after] of rows) {
    test(`has taken effect ${says}`, () => {
      assert.deepEqual([runsAs(was, observed), runsAs(next, observed)], [before, after]);
    });
  }
});

describe('what is kept of versions', () => {
  test('is written when one has taken effect, once, and goes with its pod', () => {
    const { store, versions, note } = setUp();
    note([was], NOTHING);
    note([was], { sandboxes: [sandboxOf(was)], containers: [] });
    assert.deepEqual([store.writes, versions.all.size, versions.ran.size], [0, 1, 0]);
    for (let round = 0; round < 3; round++) note([was], running(was));
    assert.deepEqual([store.writes, versions.ran.size], [1, 1]);
    note([next], running(was));
    assert.equal(store.writes, 1, 'the next one has not begun');
    assert.deepEqual(versions.all.get(was.uid)?.containerHashes, was.containerHashes);
    note([next], running(next));
    assert.equal(store.writes, 2);
    note([], running(next));
    assert.equal(versions.all.size, 1, 'it is still there');
    note([], NOTHING);
    assert.deepEqual([versions.all.size, store.rows.size], [0, 0]);
  });

  test('is there for the next agent, which forgets nothing before it has looked', () => {
    const { store, note } = setUp();
    note([was], running(was));
    const again = setUp(store);
    again.note([], NOTHING, false);
    assert.deepEqual(again.versions.ran.get(was.uid)?.containerHashes, was.containerHashes);
    again.note([was], running(was));
    assert.equal(store.writes, 1);
  });

  test('is made up for when a disk that refused takes it; the error is told once', () => {
    const store = new MemoryVersions();
    store.isFull = true;
    const { note, errors } = setUp(store);
    for (let round = 0; round < 3; round++) note([was], running(was));
    assert.deepEqual([errors.length, store.rows.size], [1, 0]);
    store.isFull = false;
    note([was], running(was));
    assert.equal(store.rows.size, 1);
  });
});
