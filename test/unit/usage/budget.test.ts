/** Budgets: how they are written, what is to be expected, and how a node speaks less as they shrink. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  strainOf,
  OUTCOME_MS,
  PACES,
  waitMs,
  type News,
  type Strain,
} from '../../../agent/report/pace.js';
import { Gathering, newsOf } from '../../../agent/report/gathering.js';
import { Budgets } from '../../../agent/usage/budgets.js';
import { newLedger } from '../../../agent/usage/ledger.js';
import {
  budgetLines,
  budgetOf,
  expectedUse,
  lowerBudget,
  NO_BUDGET,
  passedOfDay,
  passedOfMonth,
  pressure,
  readBudget,
  type Budget,
  type BudgetName,
} from '../../../protocol/budget.js';
import type { StatusDocument } from '../../../protocol/documents/node.js';

const MIB = 1024 ** 2;
const MINUTE_MS = 60_000;

const WRITTEN: [name: BudgetName, text: string, bytes: number | null][] = [
  ['link', '20Mi', 20 * MIB],
  ['link', '20Mi/month', 20 * MIB],
  ['link', '1.5Gi', 1.5 * 1024 * MIB],
  ['link', '20M', 20_000_000],
  ['link', '2000000', 2_000_000],
  ['writes', '2Mi/day', 2 * MIB],
  ['writes', '2Mi/month', null],
  ['link', '2Mi/day', null],
  ['link', '20Mi/month/', null],
  ['link', '20MB', null],
  ['link', '0', null],
  ['link', '-1Mi', null],
  ['link', '', null],
  ['link', '1e30', null],
];

const LOWER: [sentence: string, one: Budget, other: Budget, expected: Budget][] = [
  ['none and none is none', NO_BUDGET, NO_BUDGET, NO_BUDGET],
  ['one word counts', { link: 5, writes: null }, NO_BUDGET, { link: 5, writes: null }],
  ['the lower one counts', { link: 5, writes: 9 }, { link: 7, writes: 3 }, { link: 5, writes: 3 }],
];

const EXPECTED: [sentence: string, used: number, passed: number, expected: number][] = [
  ['half the month, half of it', 50, 0.5, 100],
  ['nothing used, nothing expected', 0, 0.5, 0],
  ['at the end, what was used', 80, 1, 80],
  ['a large first hour is not taken for the whole month', 10, 0.001, 10 + 100 * 0.999],
];

const STRAINS: [sentence: string, before: Strain, used: number, passed: number, after: Strain][] = [
  ['on its way to half the budget: plenty', 0, 25, 0.5, 0],
  ['exactly on its way to the budget', 0, 50, 0.5, 1],
  ['two thirds used at half time', 0, 67, 0.5, 2],
  ['four fifths used at half time', 0, 80, 0.5, 3],
  ['nine tenths used at half time', 0, 90, 0.5, 4],
  ['all of it used', 0, 100, 0.5, 4],
  ['more than all of it used', 0, 130, 0.99, 4],
  ['at the limit it does not swing back', 1, 46, 0.5, 1],
  ['clearly below it does', 1, 40, 0.5, 0],
  ['from the hardest it falls to where it belongs', 4, 67, 0.5, 2],
  ['a new period begins with plenty', 4, 0, 0, 0],
  ['the last moment asks for nothing', 3, 90, 1, 0],
];

const WAITS: [news: News, strain: Strain, ms: number][] = [
  ['refusal', 4, 0],
  ['outcome', 0, 0],
  ['outcome', 1, MINUTE_MS],
  ['outcome', 3, OUTCOME_MS],
  ['outcome', 4, OUTCOME_MS],
  ['change', 0, 0],
  ['change', 4, 60 * MINUTE_MS],
];

describe('a budget', () => {
  for (const [name, text, bytes] of WRITTEN) {
    test(`${name}: "${text}" is ${bytes ?? 'refused'}`, () =>
      assert.equal(readBudget(name, text), bytes));
  }

  for (const [sentence, one, other, expected] of LOWER)
    test(sentence, () => assert.deepEqual(lowerBudget(one, other), expected));

  test('comes in the parameters of the assignment; what does not read is none', () => {
    const parameters = { 'flotilla.dev/link-budget': '20Mi', 'flotilla.dev/write-budget': 'lots' };
    assert.deepEqual(budgetOf(parameters), { link: 20 * MIB, writes: null });
  });

  for (const [sentence, used, passed, expected] of EXPECTED) {
    test(sentence, () =>
      assert.equal(expectedUse({ used, passed }).toFixed(6), expected.toFixed(6)),
    );
  }

  test('is for a day or a month of UTC', () => {
    assert.equal(passedOfDay(Date.parse('2026-11-22T06:00:00Z')), 0.25);
    assert.equal(passedOfMonth(Date.parse('2026-11-16T00:00:00Z')), 0.5);
    assert.equal(passedOfMonth(Date.parse('2026-02-01T00:00:00Z')), 0);
    assert.equal(passedOfDay(-6 * 3_600_000), 0.75);
  });

  test('is told with what is to be expected', () => {
    const counts = { in: [0, MIB, MIB], out: [0, MIB, MIB], written: [512, 0, 0] } as const;
    const at = Date.parse('2026-11-16T12:00:00Z');
    assert.deepEqual(budgetLines(counts, { link: 20 * MIB, writes: 1024 }, at), [
      'Link budget: 2.0 MiB of 20.0 MiB used this month (10 %), 3.9 MiB expected',
      'Write budget: 512 B of 1.0 KiB used this day (50 %), 1.0 KiB expected',
    ]);
    assert.deepEqual(budgetLines(counts, NO_BUDGET, at), []);
  });
});

describe('how hard a budget presses', () => {
  for (const [sentence, before, used, passed, after] of STRAINS) {
    test(sentence, () => {
      const use = { used, budget: 100, passed };
      assert.equal(strainOf(before, use), after, `pressure ${pressure(use)}`);
    });
  }

  for (const [news, strain, ms] of WAITS) {
    test(`at strain ${strain} ${news === 'change' ? 'a change' : `the ${news}`} waits ${ms} ms`, () =>
      assert.equal(waitMs(news, PACES[strain] ?? assert.fail()), ms));
  }

  test('each pace is slower than the one before', () => {
    for (const name of ['statusEveryMs', 'gatherMs', 'writeMs'] as const) {
      const all = PACES.map(pace => pace[name]);
      assert.deepEqual(
        all,
        all.toSorted((a, b) => a - b),
      );
    }
  });
});

describe('what is new', () => {
  const status = { lastRefusal: null, bundles: [], conditions: [] } as unknown as StatusDocument;
  const refused = { ...status, lastRefusal: { code: 'Denied' } } as unknown as StatusDocument;
  const assigned = { ...status, generation: 7 };
  const pressed = {
    ...status,
    conditions: [{ type: 'LinkBudgetLow', reason: 'BudgetExceeded', message: '' }],
  } as unknown as StatusDocument;
  const other = {
    ...status,
    conditions: [{ type: 'Engine', reason: 'Down', message: '' }],
  } as unknown as StatusDocument;
  const healthy = { ...status, bundles: [{ state: 'healthy' }] } as unknown as StatusDocument;
  const ROWS: [
    sentence: string,
    said: StatusDocument | null,
    isOther: boolean,
    news: News | null,
  ][] = [
    ['nothing', status, false, null],
    ['a pod', status, true, 'change'],
    ['a refusal', refused, true, 'refusal'],
    ['what became of a rollout', healthy, true, 'outcome'],
    ['another assignment', assigned, true, 'outcome'],
    ['another pressure', pressed, true, 'refusal'],
    ['another condition', other, true, 'change'],
    ['the first status of all, said at once', null, true, 'refusal'],
  ];
  for (const [sentence, said, isOther, news] of ROWS)
    test(sentence, () => assert.equal(newsOf(status, said, isOther), news));

  test('is gathered from the first of it on; what is more urgent brings the rest along', () => {
    const gathering = new Gathering();
    const pace = PACES[4] ?? assert.fail();
    assert.equal(gathering.leftMs('change', pace, 0), 60 * MINUTE_MS);
    assert.equal(gathering.leftMs('change', pace, 10 * MINUTE_MS), 50 * MINUTE_MS);
    assert.equal(gathering.leftMs('outcome', pace, 11 * MINUTE_MS), 0);
    assert.equal(gathering.leftMs('outcome', pace, 12 * MINUTE_MS), 5 * MINUTE_MS);
    assert.equal(gathering.leftMs('refusal', pace, 13 * MINUTE_MS), 0);
    assert.equal(gathering.leftMs(null, pace, 14 * MINUTE_MS), 0);
  });
});

describe('the budgets in force', () => {
  const at = Date.parse('2026-11-16T12:00:00Z');
  const world = (used: number) => {
    let isAsked = false;
    const meter = {
      ledger: () => {
        isAsked = true;
        return { ...newLedger({ at }), counts: { in: [0, used, used], out: [0, 0, 0] } as const };
      },
    };
    const of = (own: Budget, hub: Budget) =>
      new Budgets({ own, ofHub: () => hub, meter, now: () => at });
    return { of, isAsked: () => isAsked };
  };

  test('without any nobody is asked what was used', () => {
    const { of, isAsked } = world(0);
    const budgets = of(NO_BUDGET, NO_BUDGET);
    assert.deepEqual(budgets.conditions(), []);
    assert.equal(budgets.pace().statusEveryMs, 3_600_000);
    assert.equal(isAsked(), false);
  });

  test('of node and hub the lower one presses, and says what it costs', () => {
    const budgets = world(12 * MIB).of(
      { link: 100 * MIB, writes: null },
      { link: 20 * MIB, writes: null },
    );
    const [condition, ...more] = budgets.conditions();
    assert.deepEqual(more, []);
    assert.deepEqual(condition, {
      type: 'LinkBudgetLow',
      status: 'True',
      reason: 'ForecastAboveBudget',
      message:
        'more than 20.0 MiB a month is to be expected: a status every 2 h, changes within 1 min, ' +
        'rollouts within 1 min; assignments and their content come all the same',
    });
    assert.equal(budgets.pace().statusEveryMs, 2 * 3_600_000);
  });

  test('what is used up is said so', () => {
    const budgets = world(21 * MIB).of({ link: 20 * MIB, writes: null }, NO_BUDGET);
    assert.equal(budgets.conditions()[0]?.reason, 'BudgetExceeded');
    assert.equal(budgets.pace().statusEveryMs, 24 * 3_600_000);
  });
});
