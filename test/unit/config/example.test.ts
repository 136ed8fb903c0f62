/** The example of the configuration file: an agent takes it, and nothing that can be set is missing from it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { resolveConfig } from '../../../agent/config.js';
import { CONFIG_EXAMPLE } from '../../../agent/config-example.js';
import { readConfigFile } from '../../../agent/config-file.js';
import { SETTINGS } from '../../../agent/settings.js';

const CHECKOUT = join(import.meta.dirname, '../../../..');
const text = readFileSync(join(CHECKOUT, 'docs/agent.yaml'), 'utf8');

describe('docs/agent.yaml', () => {
  test('is a configuration that an agent takes without a warning', () => {
    const file = { name: 'agent.yaml', text };
    const { config, warnings } = resolveConfig({
      flags: {},
      env: {},
      hostname: 'h',
      joinedAs: null,
      file,
    });
    assert.deepEqual(warnings, []);
    assert.equal(config.nodeName, 'edge-1');
  });

  test('is what the program prints, wherever it lies', () => {
    assert.equal(text, CONFIG_EXAMPLE);
    const program = join(CHECKOUT, 'agent/bin/flotilla-agent.js');
    const printed = execFileSync(process.execPath, [program, 'config', '--example'], {
      cwd: tmpdir(),
      encoding: 'utf8',
    });
    assert.equal(printed, text);
  });

  test('names every setting; the one that no other setting bears in a comment', () => {
    const { values } = readConfigFile('agent.yaml', text);
    const left = Object.keys(SETTINGS).filter(name => !new Set<string>(values.keys()).has(name));
    assert.deepEqual(left, ['kubeletPods']);
    assert.match(text, /^# kubeletPods: http/m);
  });
});

describe('an unknown setting', () => {
  test('that is near to none is answered with some of them, how many more, and where all stand', () => {
    assert.throws(() => readConfigFile('agent.yaml', 'xxxxxxxxxxxxxxxxxxxxx: 1\n'), {
      message: `agent.yaml:1: unknown setting "xxxxxxxxxxxxxxxxxxxxx"; known: dataDir, nodeName, nodeLabels and ${Object.keys(SETTINGS).length - 3} more: flotilla-agent config --example has them all`,
    });
  });
});
