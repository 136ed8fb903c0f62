/** S55, S75: a hub does not start, and is not made, where others may change what it reads. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { restoreBackup } from '../../../hub/backup/restore.js';
import { initHub } from '../../../hub/setup/init.js';
import { loadHub } from '../../../hub/setup/load.js';
import { SetupError } from '../../../hub/setup/setup-error.js';
import { sharedIn } from '../../../protocol/shared-path.js';
import { MovableClock, QUIET_HOST } from '../../support/hub-fixture.js';

const clock = new MovableClock();
const isRoot = process.getuid?.() === 0;

function unsafe(text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof SetupError, String(error));
    assert.equal(error.code, 'Unsafe');
    assert.match(error.message, text);
    return true;
  };
}

describe('the data directory of a hub', () => {
  let base = '';
  let dataDir = '';
  const init = (where = dataDir) =>
    initHub({ dataDir: where, host: QUIET_HOST, clock, random: randomBytes });
  beforeEach(() => {
    base = realpathSync(mkdtempSync(join(tmpdir(), 'fl-hubdir-')));
    dataDir = join(base, 'hub');
  });
  afterEach(() => rmSync(base, { recursive: true }));

  const ROWS: readonly [string, () => void, RegExp][] = [
    [
      'others may write to it',
      () => chmodSync(dataDir, 0o777),
      /hub: others may write to it.*run: chmod go-w \S+\/hub$/,
    ],
    ['a group may write to it', () => chmodSync(dataDir, 0o770), /hub: others may write/],
    [
      'others may rename it',
      () => chmodSync(base, 0o777),
      /fl-hubdir-\w+: others may write.*chmod go-w/,
    ],
    [
      'somebody else has it',
      () => chownSync(dataDir, 12345, 0),
      /hub: it belongs to another user.*run: chown root \S+\/hub$/,
    ],
    [
      'others may put keys into it',
      () => chmodSync(join(dataDir, 'keys'), 0o777),
      /hub\/keys: others may write to it.*run: chmod go-w \S+\/hub\/keys$/,
    ],
    [
      'others may change its settings',
      () => chmodSync(join(dataDir, 'hub.yaml'), 0o666),
      /hub\.yaml: others may write to it/,
    ],
    ['somebody else has a parent', () => chownSync(base, 12345, 0), /it belongs to another user/],
    [
      'somebody else may point it elsewhere',
      () => {
        const hands = join(base, 'hands');
        mkdirSync(hands);
        symlinkSync(dataDir, join(hands, 'link'));
        chownSync(hands, 12345, 0);
        dataDir = join(hands, 'link');
      },
      /hands: it belongs to another user/,
    ],
  ];
  for (const [sentence, make, message] of ROWS) {
    test(`is refused where ${sentence}`, async t => {
      if (!isRoot) return t.skip('only root gives directories away');
      await init();
      loadHub(dataDir);
      make();
      assert.throws(() => loadHub(dataDir), unsafe(message));
    });
  }

  test('below a sticky parent is as good as any', async () => {
    await init();
    chmodSync(base, 0o1777);
    loadHub(dataDir);
  });

  test('is not made below a parent that others may write to, and nothing is left there', async () => {
    chmodSync(base, 0o777);
    const message = /others may write to it/;
    await assert.rejects(init(), unsafe(message));
    await assert.rejects(init(join(dataDir, 'deeper', 'still')), unsafe(message));
    assert.equal(existsSync(dataDir), false);
    const file = join(import.meta.dirname, '../../../../package.json');
    const restored = restoreBackup({
      ...{ file, dataDir, clock },
      opening: { kind: 'plain' } as never,
    });
    await assert.rejects(restored, unsafe(message));
    assert.equal(existsSync(dataDir), false);
  });

  test('that is there and empty is made private, whatever its mode was', async () => {
    mkdirSync(dataDir);
    chmodSync(dataDir, 0o777);
    await init();
    loadHub(dataDir);
  });

  test('of a person is that person’s and root’s', () => {
    const chain = (owner: number) => [
      { path: '/home/ada/hub', uid: owner, mode: 0o40700 },
      { path: '/home/ada', uid: 1000, mode: 0o40755 },
      { path: '/', uid: 0, mode: 0o40755 },
    ];
    assert.equal(sharedIn(chain(1000), 1000), null);
    assert.equal(sharedIn(chain(0), 1000), null);
    assert.deepEqual(sharedIn(chain(1001), 1000)?.mend, 'chown 1000 /home/ada/hub');
    assert.equal(sharedIn(chain(0), 0)?.path, '/home/ada');
  });
});
