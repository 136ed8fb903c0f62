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
