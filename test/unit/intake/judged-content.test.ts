/** What was found good is not judged again while it waits, and nothing else is taken for it. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { JudgedContent } from '../../../agent/intake/judged-content.js';
import type { StagedManifest } from '../../../agent/intake/decide.js';
import { accept, refuse, type Result } from '../../../protocol/refusal.js';
import { assigned, bundleDocument, podManifest, trustedRoot } from '../../support/fleet.js';

const document = bundleDocument([podManifest('web')]);
const bundle = assigned(document);
const root = trustedRoot().document;
const once = { bundle, root, isActive: false };

const staged = (bytes: number): Result<StagedManifest[]> =>
  accept([{ owned: {}, pod: null, bytes: Buffer.alloc(bytes) } as unknown as StagedManifest]);

describe('content that waits', () => {
  let judgements = 0;
  let verdict: Result<StagedManifest[]> | null = null;
  let content: JudgedContent;
  const judged = (about = once) => {
    const before = judgements;
    assert.equal(content.of(document, about), verdict);
    return judgements - before;
  };

  beforeEach(() => {
    judgements = 0;
    verdict = staged(1000);
    content = new JudgedContent({
      of: () => {
        judgements++;
        return verdict;
      },
    });
  });

  test('is judged once', () => {
    assert.deepEqual([judged(), judged(), judged()], [1, 0, 0]);
  });

  const others: Record<string, typeof once> = {
    'under another root': { ...once, root: { ...root, version: root.version + 1 } },
    'with another digest': { ...once, bundle: { ...bundle, digest: 'f'.repeat(64) } },
    'when it is what lies there already': { ...once, isActive: true },
  };
  for (const [sentence, other] of Object.entries(others)) {
    test(`is judged again ${sentence}`, () => {
      assert.deepEqual([judged(), judged(other), judged()], [1, 1, 1]);
    });
  }

  test('is judged again after it was put there, or is not assigned any more', () => {
    assert.equal(judged(), 1);
    content.drop(bundle);
    assert.equal(judged(), 1);
    content.keepOnly([bundle]);
    assert.equal(judged(), 0);
    content.keepOnly([]);
    assert.equal(judged(), 1);
  });

  test('is judged each time where it was refused, lacks something or is large', () => {
    for (const next of [refuse('Policy', 'no'), null, staged(300 * 1024)]) {
      verdict = next;
      assert.deepEqual([judged(), judged()], [1, 1]);
    }
  });
});
