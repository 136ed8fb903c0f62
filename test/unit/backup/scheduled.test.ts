/** Scheduled backups: their names, which stay, and what happens when one fails. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { scheduledBackup } from '../../../hub/backup/scheduled.js';
import { formatHubConfig, parseHubConfig } from '../../../hub/setup/config.js';
import { clock, dataDir, at, restore, withCode, backupWorld } from '../../support/backup-world.js';

backupWorld();

describe('scheduled backups', () => {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const setting = { schedule: '0 3 * * *', directory: '', keep: 2, recipients: [] };

  test('are named by their time; the newest stay, and what others put there is left alone', async () => {
    const folder = at('backups');
    mkdirSync(folder);
    writeFileSync(join(folder, 'hub-notes.txt'), 'mine');
    const parts = { dataDir, setting: { ...setting, directory: folder }, clock, log };
    const made: (string | null)[] = [];
    for (let day = 0; day < 4; day++) {
      made.push(await scheduledBackup(parts));
      clock.forward(86_400_000);
    }
    const names = made.map(path => path?.slice(folder.length + 1) ?? 'failed');
    assert.match(names[0] ?? '', /^hub-\d{8}T\d{6}Z\.flotilla-backup$/);
    assert.deepEqual(readdirSync(folder).sort(), [...names.slice(2), 'hub-notes.txt'].sort());
    await restore({ file: made[3] ?? '' });
  });

  test('that fail are said, and leave nothing behind', async () => {
    const said: string[] = [];
    const loud = {
      ...log,
      error: (text: string, fields?: object) => void said.push(`${text} ${JSON.stringify(fields)}`),
    };
    const directory = at('nowhere');
    assert.equal(
      await scheduledBackup({ dataDir, setting: { ...setting, directory }, clock, log: loud }),
      null,
    );
    assert.match(said.join(), /scheduled backup failed.*nowhere does not exist/);
  });

  const settings: readonly [string, RegExp | null][] = [
    ['schedule: "0 3 * * *"\n  directory: /b\n  keep: 7', null],
    [
      'schedule: "0 3 * *"\n  directory: /b\n  keep: 7',
      /hub.yaml:2: backup.schedule is no schedule/,
    ],
    ['schedule: "0 99 * * *"\n  directory: /b\n  keep: 7', /backup.schedule is no schedule/],
    ['schedule: "0 3 * * *"\n  directory: b\n  keep: 7', /backup.directory is no absolute path/],
    [
      'schedule: "0 3 * * *"\n  directory: /b\n  keep: 0',
      /backup.keep must be a whole number from 1/,
    ],
    [
      'schedule: "0 3 * * *"\n  directory: /b\n  keep: 7\n  often: yes',
      /backup.often is not a field/,
    ],
    [
      'schedule: "0 3 * * *"\n  directory: /b\n  keep: 7\n  recipients: [me]',
      /recipients.0 is no public key/,
    ],
  ];
  for (const [yaml, fault] of settings) {
    test(`in hub.yaml: ${yaml.replaceAll('\n ', ',')}`, () => {
      const rest = readFileSync(join(dataDir, 'hub.yaml'), 'utf8').split('\n').slice(1).join('\n');
      const parse = () => parseHubConfig(`backup:\n  ${yaml}\n${rest}`, 'hub.yaml');
      if (fault) assert.throws(parse, withCode('BadSetting', fault));
      else assert.deepEqual(parseHubConfig(formatHubConfig(parse()), 'hub.yaml'), parse());
    });
  }
});
