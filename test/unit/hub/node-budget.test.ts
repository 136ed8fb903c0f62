/** The budget of a node at the hub: what a wish makes of the one before. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { budgetText } from '../../../hub/cli/node-budget.js';
import { RequestError, type BudgetWish } from '../../../hub/ports.js';
import { withBudget } from '../../../hub/rollout/node-budget.js';

const LINK = 'flotilla.dev/link-budget';
const WRITES = 'flotilla.dev/write-budget';
const BEFORE = { [LINK]: '20Mi', other: 'stays' };

const ROWS: [sentence: string, wish: BudgetWish, after: Record<string, string>][] = [
  ['nothing said changes nothing', {}, BEFORE],
  ['another takes its place', { link: '5Mi/month' }, { ...BEFORE, [LINK]: '5Mi/month' }],
  ['one more stands beside it', { writes: '2Mi' }, { ...BEFORE, [WRITES]: '2Mi' }],
  ['none takes it away', { link: null }, { other: 'stays' }],
];

describe('the budget of a node at the hub', () => {
  for (const [sentence, wish, after] of ROWS)
    test(sentence, () => assert.deepEqual(withBudget(BEFORE, wish), after));

  test('what is none is refused, with what one looks like', () => {
    assert.throws(
      () => withBudget(BEFORE, { writes: '2Mi/month' }),
      (error: unknown) =>
        error instanceof RequestError &&
        error.message === 'writes: "2Mi/month" is not bytes per day, such as 2Mi or 2Mi/day',
    );
  });

  const SMALL: readonly (readonly [BudgetWish, string])[] = [
    [{ link: '20' }, 'link: "20" is less than 64Ki a month: did you mean 20Mi?'],
    [{ writes: '2/day' }, 'writes: "2/day" is less than 64Ki a day: did you mean 2Mi?'],
    [{ link: '63Ki' }, 'link: "63Ki" is less than 64Ki a month'],
  ];
  for (const [wish, message] of SMALL) {
    test(`with a unit that was forgotten is refused: ${message}`, () => {
      assert.throws(() => withBudget(BEFORE, wish), { message });
    });
  }

  const WORDS: readonly (readonly [string, string])[] = [
    ['20MB/month', ': did you mean 20M?'],
    ['20MiB', ': did you mean 20Mi?'],
    ['512KB', ': did you mean 512k?'],
    ['512 kib', ': did you mean 512Ki?'],
    ['20 lots', ''],
  ];
  for (const [link, hint] of WORDS) {
    test(`in units that quantities lack is refused: ${link}${hint}`, () => {
      const message = `link: "${link}" is not bytes per month, such as 20Mi or 20Mi/month${hint}`;
      assert.throws(() => withBudget(BEFORE, { link }), { message });
    });
  }

  test('of 64Ki is one', () => {
    assert.equal(withBudget(BEFORE, { link: '64Ki' })[LINK], '64Ki');
  });

  test('is shown with its periods', () => {
    assert.equal(budgetText('a', {}), 'node/a: no budget');
    assert.equal(
      budgetText('a', { link: '20Mi', writes: '2Mi/day' }),
      'node/a: link 20Mi/month, writes 2Mi/day',
    );
  });
});
