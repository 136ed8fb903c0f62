/** Both programs end alike: 2 for what would be so again, 1 for what the world did; a bug keeps its stack. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AgentError } from '../../../agent/api/server.js';
import { startFault } from '../../../agent/cli/start-fault.js';
import { tokenLeft } from '../../../agent/cli/join.js';
import { ConfigError } from '../../../agent/config-error.js';
import { JournalError } from '../../../agent/journal/database.js';
import { IdentityError } from '../../../agent/membership/private-keys.js';
import { asCliError } from '../../../hub/cli/set-up.js';
import { SetupError } from '../../../hub/setup/setup-error.js';
import { StoreError } from '../../../hub/store/store.js';
import { cannotWrite, EXIT, type CliError } from '../../../protocol/cli-error.js';

function fault(code: string, syscall: string, path?: string): Error {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall, path });
}

const codeOf = (error: CliError | null) => (error === null ? null : EXIT[error.exit]);

describe('flotilla-agent run ends with', () => {
  const ROWS: readonly (readonly [string, Error, number | null])[] = [
    ['2 for a setting that means nothing', new ConfigError('runtime: "x"'), 2],
    ['2 for a key that others may read', new IdentityError('Mode', 'chmod'), 2],
    ['2 for a key that is missing', new IdentityError('Missing', 'join anew'), 2],
    ['2 for a data directory that is not safe', new AgentError('chmod go-w'), 2],
    ['2 for a journal of another fleet', new JournalError('OtherFleet', 'journal'), 2],
    ['2 for a journal of a newer agent', new JournalError('NewerSchema', 'journal'), 2],
    ['1 for a journal that the disk refuses', new JournalError('Unusable', 'journal'), 1],
    ['1 for an address that is taken', new AgentError('cannot listen', 'failed'), 1],
    ['1 for a full disk', fault('ENOSPC', 'write'), 1],
    ['its stack for a bug', new TypeError('undefined is not a function'), null],
  ];
  for (const [sentence, error, code] of ROWS) {
    test(sentence, () => assert.equal(codeOf(startFault(error)), code));
  }
});

describe('flotilla hub ends with', () => {
  const ROWS: readonly (readonly [string, Error, number | null, RegExp])[] = [
    ['2 for a setting', new SetupError('BadSetting', 'hub.yaml:2: listen'), 2, /^hub.yaml:2/],
    ['2 for a directory in use', new StoreError('Locked', 'in use'), 2, /in use/],
    ['1 for a store that the disk refuses', new StoreError('Unavailable', 'disk'), 1, /disk/],
    ['1 for a disk', new SetupError('Disk', 'no space'), 1, /no space/],
    ['1 for an address that is taken', fault('EADDRINUSE', 'listen'), 1, /^cannot listen/],
    ['1 for a port of root’s', fault('EACCES', 'listen'), 1, /^cannot listen/],
    [
      '1 for a place where it may not write, which is no address',
      fault('EACCES', 'mkdir', '/var/lib/hub'),
      ...([1, /^cannot read or write \/var\/lib\/hub: not permitted/] as const),
    ],
    ['its stack for a bug', new TypeError('undefined is not a function'), null, /^/],
  ];
  for (const [sentence, error, code, message] of ROWS) {
    test(sentence, () => {
      const told = asCliError(error);
      assert.equal(codeOf(told), code);
      assert.match(told?.message ?? '', message);
    });
  }
});

describe('a token', () => {
  test('that lets in more devices is needed still', () => {
    assert.deepEqual(tokenLeft({ used: 1, uses: 3 }), {
      left: 2,
      text: 'the token lets in 2 more (1 of 3 devices joined with it)',
    });
  });
  test('that did its work is not', () => {
    assert.equal(tokenLeft({ used: 1, uses: 1 }).left, 0);
    assert.equal(tokenLeft({ used: 3, uses: 2 }).left, 0);
  });
  test('of which a hub says nothing is taken for one', () => {
    assert.equal(tokenLeft(null).left, 0);
  });
});

describe('a file that cannot be written is told with why', () => {
  const ROWS: readonly (readonly [string, string])[] = [
    ['ENOENT', 'there is no such directory'],
    ['EACCES', 'this user may not write there'],
    ['ENOSPC', 'the disk is full'],
    ['EXDEV', 'EXDEV'],
  ];
  for (const [code, why] of ROWS) {
    test(`${code}: ${why}`, () => {
      const told = cannotWrite('/stick/all.flotilla', fault(code, 'open'));
      assert.equal(told.message, `/stick/all.flotilla cannot be written: ${why}`);
    });
  }
});
