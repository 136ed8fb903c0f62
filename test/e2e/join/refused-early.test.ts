/**
 * A join that is refused before a connection is made: a line or a name that is none, and a program that leaves no folder.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { joinWorld, withCode } from '../../support/join-world.js';

const AGENT = join(import.meta.dirname, '../../../../agent/bin/flotilla-agent.js');
const world = joinWorld();

describe('refused before a connection is made', () => {
  test('a line or a name that is none', async () => {
    const line = await world.joinLine();
    await assert.rejects(world.attempt('hello'), withCode('BadLine', /1 fields instead of three/));
    const plain = world.attempt(line, { hubUrl: 'http://127.0.0.1' });
    await assert.rejects(plain, withCode('BadLine', /--hub http/));
    for (const nodeName of ['Edge-1', 'a.b', '', 'flotilla-hub']) {
      await assert.rejects(
        world.attempt(line, { nodeName }),
        withCode('BadNodeName', /--node-name/),
      );
    }
    assert.deepEqual(readdirSync(world.directory), []);
  });

  test('the program leaves no folder behind when it fails before it has anything to keep', async () => {
    const line = (await world.joinLine()).replace(/^\S+/, 'https://127.0.0.1:1');
    for (const [text, why] of [
      ['hello', /1 fields instead of three/],
      [line, /ECONNREFUSED/],
    ] as const) {
      writeFileSync(world.tokenFile, text);
      const dir = ['--data-dir', join(world.directory, 'deep/agent'), '--node-name', 'edge-1'];
      const { stderr, status } = spawnSync(
        process.execPath,
        [AGENT, 'join', '--token-file', world.tokenFile, ...dir],
        { encoding: 'utf8', timeout: 30_000 },
      );
      assert.notEqual(status, 0);
      assert.match(stderr, why);
      assert.deepEqual(
        readdirSync(world.directory).filter(name => name === 'deep'),
        [],
      );
    }
  });
});
