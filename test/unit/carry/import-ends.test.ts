/** How `flotilla-agent import` ends when the time is over: by what each bundle waits for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { takenBefore } from '../../../agent/carry/import.js';
import { failureOf, lateOf } from '../../../agent/cli/import.js';
import { programOf } from '../../../agent/cli/program.js';
import type { CliContext } from '../../../agent/cli/context.js';
import { EXIT } from '../../../protocol/cli-error.js';
import type { BundleState, BundleStatus } from '../../../protocol/documents/node.js';

function bundle(state: BundleState, reason: string): BundleStatus {
  const of = { namespace: 'default', name: 'shop', revision: 2, digest: 'd'.repeat(64) };
  const told = { state, reason, message: 'why', since: '2026-05-01T12:00:00.000Z' };
  return { ...of, ...told, active: null, failed: null, attempt: 0 };
}

const ROWS: readonly (readonly [string, BundleState, string, keyof typeof EXIT])[] = [
  ['is healthy', 'healthy', 'ContainersSettled', 'done'],
  ['is fetched still', 'staged', 'Fetching', 'timedOut'],
  ['waits for content', 'waiting', 'BlobMissing', 'timedOut'],
  ['waits for a Secret', 'waiting', 'SecretNotSealed', 'timedOut'],
  ['waits for an image', 'waiting', 'ErrImagePull', 'timedOut'],
  ['waits for another bundle', 'waiting', 'Conflict', 'timedOut'],
  ['starts its containers', 'progressing', 'ContainersPending', 'timedOut'],
  ['is taken away still', 'removing', 'NotAssigned', 'timedOut'],
  ['waits for a maintenance window', 'waiting', 'Window', 'done'],
  ['is held at the device', 'waiting', 'Held', 'done'],
  ['waits for the lock of a pod', 'waiting', 'Locked', 'done'],
  ['waits for a node that can go back', 'waiting', 'NotUndoReady', 'done'],
  ['has pods of which nobody tells', 'activating', 'HealthUnknown', 'done'],
  ['failed', 'failed', 'PodFailed', 'rolloutFailed'],
  ['was rolled back', 'rolledBack', 'PodFailed', 'rolloutFailed'],
];

describe('a file that ends too early', () => {
  const before = { root: 2, generation: 9 };
  const rows: readonly [string, typeof before, string][] = [
    ['says nothing where nothing of it counts', before, ''],
    [
      'names the assignment that counts',
      { root: 2, generation: 10 },
      '; assignment 10 in it came before that, and counts: flotilla-agent status',
    ],
    [
      'names the root too',
      { root: 3, generation: 10 },
      '; root 3 and assignment 10 in it came before that, and counts: flotilla-agent status',
    ],
  ];
  for (const [sentence, after, text] of rows) {
    test(sentence, () => assert.equal(takenBefore(before, after), text));
  }
});

describe('an import whose time is over ends', () => {
  for (const [sentence, state, reason, exit] of ROWS) {
    test(`with ${EXIT[exit]} where a bundle ${sentence}`, () => {
      const bundles = [bundle('healthy', 'ContainersSettled'), bundle(state, reason)];
      const problem = failureOf(bundles) ?? lateOf(bundles, '2m');
      assert.equal(problem?.exit ?? 'done', exit);
    });
  }

  test('with what is late, and why', () => {
    const late = lateOf([bundle('waiting', 'BlobMissing')], '2m');
    const told = 'bundle/shop revision 2 is not healthy after 2m: waiting (BlobMissing: why)';
    assert.equal(late?.message, told);
    assert.match(late.hint ?? '', /flotilla-agent status/);
  });

  test('with a code that --help names', async () => {
    let help = '';
    const program = await programOf({ withDataDir: (c: unknown) => c } as unknown as CliContext);
    program.configureOutput({ writeOut: text => (help += text) }).outputHelp();
    assert.match(help, /3 timed out \(import\)/);
  });
});
