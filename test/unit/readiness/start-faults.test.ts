/** What a start would stumble over in its settings: the file as it lies there now, read by the parser that a start reads it by. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { resolveConfig } from '../../../agent/config.js';
import { startFaults } from '../../../agent/readiness/start-faults.js';
import { ActivationWorld } from '../../support/activation-world.js';

function faultsOf(readSettings: () => unknown): string[] {
  const it = new ActivationWorld();
  try {
    const found = startFaults({
      dataDir: it.dataDir,
      uid: process.getuid?.() ?? 0,
      readSettings,
      rewriteTwin: () => undefined,
      clock: { monotonic: () => 0 },
    })();
    return found
      .filter(({ reason }) => reason === 'SettingsRefused')
      .map(({ message }) => message.replaceAll(it.dataDir, '/d'));
  } finally {
    it.close();
  }
}

const read = (text: string) => () =>
  resolveConfig({
    ...{ flags: { dataDir: '/d' }, env: {}, hostname: 'edge1', joinedAs: null },
    file: { name: '/etc/agent.yaml', text },
  });

describe('settings as a start would read them', () => {
  test('are no fault while a start would take them, changed or not', () => {
    assert.deepEqual(faultsOf(read('maxPods: 20')), []);
    assert.deepEqual(faultsOf(read('maxPods: 30')), []);
  });

  const rows: readonly (readonly [string, string, string])[] = [
    ['a name that is not known', 'maxPods: 2\nmaxpods: 3', ':2: unknown setting "maxpods"'],
    ['a value that is none', '# of edge1\nmaxPods: many', ':2: maxPods: "many" is not'],
    ['a text that is no YAML', 'maxPods: 2\nnodeName: [', ':2:'],
    ['a file that was emptied', '', ': it is empty'],
  ];
  for (const [sentence, text, what] of rows) {
    test(`${sentence} is told as the start would tell it`, () => {
      const [message = '', ...others] = faultsOf(read(text));
      assert.deepEqual(others, []);
      assert.ok(message.startsWith(`a start would end: /etc/agent.yaml${what}`), message);
    });
  }

  test('a bug is no fault of the settings', () => {
    const bug = () => {
      throw new TypeError('bug');
    };
    assert.throws(() => faultsOf(bug), TypeError);
  });
});
