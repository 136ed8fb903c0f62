/** What `hub init` wrote is loaded as it was meant; what was damaged since is said. */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadHub } from '../../../hub/setup/load.js';
import type { SetupErrorCode } from '../../../hub/setup/setup-error.js';
import { dataDir, init, withCode } from './hub-to-be.js';

describe('loading says what is wrong', () => {
  const damage: [string, () => void, SetupErrorCode, RegExp][] = [
    ['no hub', () => rmSync(dataDir, { recursive: true }), 'NotInitialised', /flotilla hub init/],
    [
      'a key that others may read',
      () => chmodSync(join(dataDir, 'keys/root.key'), 0o640),
      'Mode',
      /root\.key has mode 0640.*chmod 600/,
    ],
    [
      'a missing key',
      () => rmSync(join(dataDir, 'keys/hub.key')),
      'Missing',
      /hub\.key is missing/,
    ],
    [
      'a missing release key of a development root',
      () => rmSync(join(dataDir, 'keys/release.key')),
      'Missing',
      /release\.key is missing/,
    ],
    [
      'a torn key',
      () => writeFileSync(join(dataDir, 'keys/hub.key'), 'x'),
      'Corrupt',
      /hub\.key: not a private key/,
    ],
    [
      'a key of another type',
      () => swap('keys/sealing.key', 'keys/server.key'),
      'Corrupt',
      /not a key of type x25519/,
    ],
    [
      'a key of another role',
      () => swap('keys/hub.key', 'keys/root.key'),
      'Corrupt',
      /names another (hub|root) key/,
    ],
    [
      'a certificate of another key',
      () => swap('pki/mqtt.crt', 'pki/server.crt'),
      'Corrupt',
      /does not belong to/,
    ],
    [
      'a damaged root',
      () => writeFileSync(join(dataDir, 'root.json'), '{}'),
      'Corrupt',
      /root\.json/,
    ],
    [
      'an unknown setting',
      () => edit('hub.yaml', 'listen:', 'lisen: 1\nlisten:'),
      'BadSetting',
      /hub\.yaml:2: lisen is not a field/,
    ],
    [
      'an ill setting',
      () => edit('hub.yaml', ':8883', 'nowhere'),
      'BadSetting',
      /hub\.yaml:3: mqttListen is not an address/,
    ],
    [
      'dynamic security that is neither on nor off',
      () => edit('hub.yaml', 'database:', 'dynamicSecurity: perhaps\ndatabase:'),
      'BadSetting',
      /hub\.yaml:5: dynamicSecurity must be true or false/,
    ],
    [
      'dynamic security of the embedded broker',
      () => edit('hub.yaml', 'database:', 'dynamicSecurity: true\ndatabase:'),
      'BadSetting',
      /hub\.yaml:5: dynamicSecurity is for a Mosquitto of your own/,
    ],
    [
      'settings that are no YAML',
      () => writeFileSync(join(dataDir, 'hub.yaml'), '{a: ['),
      'BadSetting',
      /hub\.yaml/,
    ],
    [
      'a field whose name has no end',
      () => edit('hub.yaml', 'broker:', `${'x'.repeat(900)}: 1\nbroker:`),
      'BadSetting',
      /hub\.yaml:4: x{255}… is not a field of hub\.yaml$/,
    ],
    [
      'a missing setting',
      () => edit('hub.yaml', 'broker: embedded\n', ''),
      'BadSetting',
      /broker is missing/,
    ],
  ];
  function swap(name: string, other: string): void {
    writeFileSync(join(dataDir, name), readFileSync(join(dataDir, other)));
  }
  function edit(name: string, from: string, to: string): void {
    const path = join(dataDir, name);
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
  }
  // One hub for all of them: keys and certificates take most of the time.
  let made: string;
  before(async () => {
    made = mkdtempSync(join(tmpdir(), 'flotilla-init-'));
    await init({ dataDir: join(made, 'hub') });
  });
  after(() => rmSync(made, { recursive: true }));
  for (const [sentence, damaged, code, text] of damage) {
    test(sentence, () => {
      cpSync(join(made, 'hub'), dataDir, { recursive: true });
      damaged();
      assert.throws(() => loadHub(dataDir), withCode(code, text));
    });
  }

  test('what init wrote is read back as it was meant', async () => {
    const { config } = await init({ hostnames: ['hub.example'], broker: 'mqtts://b.example' });
    assert.deepEqual(loadHub(dataDir).config, config);
  });
});
