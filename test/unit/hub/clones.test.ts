/** Two devices under one identity are noticed; one device on a bad network never is (S73). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CloneWatch, type Heard } from '../../../hub/ingest/clones.js';
import type { PresenceDocument, StatusDocument } from '../../../protocol/documents/node.js';

const [ONE, TWO, THREE] = ['1', '2', '3'].map(digit => digit.repeat(32)) as [
  string,
  string,
  string,
];

interface Said {
  readonly journal?: string;
  readonly boot: number;
  readonly n: number;
  readonly session: string;
  readonly online?: boolean;
  readonly retained?: boolean;
  readonly atMs?: number;
}

/** Says them in order, keeping the record as the hub does; gives what was found at each. */
function hear(watch: CloneWatch, said: readonly Said[]): (string | null)[] {
  let known: Heard['known'] = {
    ...{ journal: '', formers: new Map<string, { presenceBoot: number; presenceN: number }>() },
    ...{ presenceBoot: 0, presenceN: 0 },
  };
  return said.map(one => {
    const { journal = ONE, boot, n, session, online = true, retained = false, atMs = 0 } = one;
    const stamp = { fleet: 'f', node: 'edge-1', journal, boot };
    const document: PresenceDocument = { ...stamp, n, session, online };
    const found = watch.presence(document, { retained, nowMs: atMs, known });
    if (known.formers.has(journal)) return found;
    if (known.journal !== journal) {
      const formers = new Map([...known.formers, [known.journal, known]]);
      known = { journal, formers, presenceBoot: boot, presenceN: n };
    } else if (boot > known.presenceBoot || (boot === known.presenceBoot && n > known.presenceN)) {
      known = { ...known, presenceBoot: boot, presenceN: n };
    }
    return found;
  });
}

describe('a single device is never suspected', () => {
  const rows: [string, Said[]][] = [
    [
      'when it starts again and again',
      [1, 2, 3, 4].map(boot => ({ boot, n: 1, session: `s${boot}` })),
    ],
    [
      'when it reconnects, and says its birth twice',
      [
        { boot: 1, n: 1, session: 'a' },
        { boot: 1, n: 7, session: 'b' },
        { boot: 1, n: 7, session: 'b' },
      ],
    ],
    [
      'when the wills of its former connections come late, unheard of before',
      [
        { boot: 2, n: 1, session: 'c' },
        { boot: 1, n: 9, session: 'a', online: false },
        { boot: 1, n: 8, session: 'b', online: false },
      ],
    ],
    [
      'when a broker gives old retained words',
      [
        { boot: 3, n: 1, session: 'c' },
        { boot: 1, n: 1, session: 'a', retained: true },
        { boot: 2, n: 1, session: 'b', retained: true },
        { journal: TWO, boot: 1, n: 1, session: 'd' },
        { boot: 3, n: 4, session: 'e', retained: true },
        { boot: 3, n: 5, session: 'f', retained: true },
      ],
    ],
    [
      'when a hostile broker repeats what the hub has heard',
      [
        { boot: 1, n: 1, session: 'a' },
        { boot: 1, n: 2, session: 'b' },
        { boot: 2, n: 1, session: 'c' },
        { boot: 1, n: 1, session: 'a' },
        { boot: 1, n: 2, session: 'b' },
      ],
    ],
    [
      'when its journal is lost, twice',
      [ONE, TWO, THREE].map(journal => ({ journal, boot: 1, n: 1, session: journal })),
    ],
    [
      'when it comes back as a former self once in a while',
      [
        { boot: 9, n: 1, session: 'z' },
        { boot: 1, n: 1, session: 'a' },
        { boot: 2, n: 1, session: 'b', atMs: 3_700_000 },
      ],
    ],
  ];
  for (const [sentence, said] of rows) {
    test(sentence, () => {
      assert.deepEqual(
        hear(new CloneWatch(), said),
        said.map(() => null),
      );
    });
  }
});

describe('two devices with one key are noticed', () => {
  const rows: [string, Said[], RegExp][] = [
    [
      'when both started from one image',
      [
        { boot: 5, n: 1, session: 'a' },
        { boot: 5, n: 1, session: 'b' },
      ],
      /connection 1 of start 5 was opened twice/,
    ],
    [
      'when the copy was taken while the first ran on',
      [
        { boot: 5, n: 3, session: 'a' },
        { boot: 6, n: 1, session: 'b' },
        { boot: 5, n: 9, session: 'c' },
        { boot: 6, n: 4, session: 'd' },
        { boot: 5, n: 11, session: 'e' },
      ],
      /start 5/,
    ],
    [
      'when only the keys were copied',
      [
        { boot: 5, n: 3, session: 'a' },
        { journal: TWO, boot: 1, n: 1, session: 'b' },
        { boot: 5, n: 9, session: 'c' },
        { journal: TWO, boot: 1, n: 5, session: 'd' },
        { boot: 5, n: 11, session: 'e' },
      ],
      /another journal/,
    ],
  ];
  for (const [sentence, said, expected] of rows) {
    test(sentence, () => {
      const found = hear(new CloneWatch(), said);
      assert.deepEqual(
        found.slice(0, -1),
        said.slice(0, -1).map(() => null),
      );
      assert.match(found.at(-1) ?? '', expected);
    });
  }

  const heard = (presenceBoot: number, change: Partial<Heard> = {}): Heard => ({
    ...{ retained: false, nowMs: 0 },
    known: { journal: ONE, formers: new Map(), presenceBoot, presenceN: 1 },
    ...change,
  });
  const status = (boot: number, counter: number) =>
    ({ node: 'edge-1', journal: ONE, boot, counter }) as StatusDocument;

  test('when two statuses bear one number', () => {
    const watch = new CloneWatch();
    assert.equal(watch.status(status(1, 4), 'x', heard(1)), null);
    assert.equal(watch.status(status(1, 4), 'x', heard(1)), null);
    const found = watch.status(status(1, 4), 'y', heard(1));
    assert.match(found ?? '', /two statuses bear the number 4 of start 1/);
  });

  test('when a start reports on after a newer one, twice; one late word, or what is retained, is nothing', () => {
    const watch = new CloneWatch();
    const retained = heard(8, { retained: true });
    for (const counter of [2, 3])
      assert.equal(watch.status(status(7, counter), 'r', retained), null);
    assert.equal(watch.status(status(7, 5), 'a', heard(8)), null);
    assert.equal(watch.status(status(7, 5), 'a', heard(8)), null, 'a replay');
    assert.match(
      watch.status(status(7, 6), 'b', heard(8)) ?? '',
      /start 7 reports on after start 8/,
    );
  });

  test('S33: a disk that was put back, also by a hub that was started anew', () => {
    const watch = new CloneWatch();
    assert.equal(watch.isStrange('edge-1'), true);
    watch.recall('edge-1', ONE, [
      { boot: 6, n: 1, session: 'a', lastN: 1, counter: 9, digest: 'x' },
    ]);
    assert.equal(watch.isStrange('edge-1'), false);
    const stamp = { fleet: 'f', node: 'edge-1', journal: ONE, boot: 6, online: true };
    assert.equal(watch.presence({ ...stamp, n: 1, session: 'a' }, heard(7)), null, 'a replay');
    assert.equal(watch.status(status(6, 9), 'x', heard(7)), null, 'a replay');
    const again = watch.presence({ ...stamp, n: 1, session: 'b' }, heard(7));
    assert.match(again ?? '', /connection 1 of start 6 was opened twice/);
  });

  describe('a hub that was started anew takes no replay for a second device', () => {
    const start = { boot: 6, n: 1, session: 'a', lastN: 5, counter: 9, digest: 'x' };
    const stamp = { fleet: 'f', node: 'edge-1', journal: ONE, boot: 6, online: true };
    const restarted = () => {
      const watch = new CloneWatch();
      watch.recall('edge-1', ONE, [start]);
      return watch;
    };

    test('of connections of a former start', () => {
      const watch = restarted();
      for (const n of [2, 3, 4, 5]) {
        const said = watch.presence({ ...stamp, n, session: `s${n}` }, heard(7));
        assert.equal(said, null, `connection ${n}`);
      }
      assert.equal(watch.presence({ ...stamp, n: 6, session: 'f' }, heard(7)), null);
      assert.match(watch.presence({ ...stamp, n: 7, session: 'g' }, heard(7)) ?? '', /start 6/);
    });

    test('of statuses of a former start', () => {
      const watch = restarted();
      for (const counter of [6, 7, 8]) {
        assert.equal(watch.status(status(6, counter), `d${counter}`, heard(7)), null);
      }
      assert.equal(watch.status(status(6, 10), 'y', heard(7)), null);
      assert.match(watch.status(status(6, 11), 'z', heard(7)) ?? '', /start 6 reports on/);
    });

    test('of a journal that was superseded', () => {
      const watch = new CloneWatch();
      watch.recall('edge-1', TWO, []);
      const formers = new Map([[ONE, { presenceBoot: 6, presenceN: 5 }]]);
      const since = heard(1, {
        known: { journal: TWO, formers, presenceBoot: 1, presenceN: 1 },
      });
      for (const [boot, n] of [
        [5, 9],
        [6, 4],
        [6, 5],
      ] as const) {
        const said = watch.presence({ ...stamp, boot, n, session: `${boot}.${n}` }, since);
        assert.equal(said, null, `connection ${n} of start ${boot}`);
      }
      assert.equal(watch.presence({ ...stamp, n: 6, session: 'x' }, since), null);
      const again = watch.presence({ ...stamp, n: 7, session: 'y' }, since);
      assert.match(again ?? '', /another journal/);
    });
  });
});
