/** Rows 199, 200, T64: the files of last words, on real files; the log is a stand-in. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  FALLBACK_BYTES_MAX,
  FALLBACK_LINES,
  MESSAGE_BYTES_MAX,
  openTerminationMessages,
  type EndedContainer,
} from '../../../agent/pods/termination-messages.js';
import type { LogOptions } from '../../../agent/runtime/runtime.js';
import { REAL_CLOCK } from '../../support/clock.js';

const root = mkdtempSync(join(tmpdir(), 'flotilla-words-'));
after(() => rmSync(root, { recursive: true, force: true }));

type Chunks = readonly string[] | 'silent' | 'gone';

function messagesWith(chunks: Chunks) {
  const asked: LogOptions[] = [];
  async function* logs(_id: string, options: LogOptions, signal: AbortSignal) {
    asked.push(options);
    if (chunks === 'gone') throw new Error('no such container');
    if (chunks === 'silent') await REAL_CLOCK.sleep(60_000, signal);
    else for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const dataDir = mkdtempSync(join(root, 'data-'));
  const words = openTerminationMessages({ dataDir, runtime: { logs }, clock: REAL_CLOCK });
  return { words, asked, dataDir };
}

const ended = (change: Partial<EndedContainer> = {}): EndedContainer => ({
  id: 'id',
  uid: 'uid',
  name: 'app',
  attempt: 0,
  fallsBackToLogs: false,
  isTold: false,
  ...change,
});

const app = { name: 'app', terminationMessagePath: '/dev/termination-log' };

async function messageAfter(left: string, change: Partial<EndedContainer>, chunks: Chunks = []) {
  const { words, asked } = messagesWith(chunks);
  const { hostPath } = await words.prepare('uid', app, 0);
  appendFileSync(hostPath, left);
  await words.read([ended(change)]);
  return { message: words.messages.get('id'), asked };
}

describe('the file of one attempt', () => {
  test('is empty, writable by whoever the program runs as, mounted where the manifest says', async () => {
    const { words, dataDir } = messagesWith([]);
    const mount = await words.prepare('uid', { ...app, terminationMessagePath: 'tmp/why' }, 3);
    assert.equal(mount.hostPath, join(dataDir, 'pods/uid/containers/app/3'));
    assert.equal(mount.containerPath, '/tmp/why');
    assert.equal(mount.readOnly, false);
    assert.equal(statSync(mount.hostPath).mode & 0o777, 0o666);
    appendFileSync(mount.hostPath, 'of an attempt that was made before');
    await words.prepare('uid', app, 3);
    assert.equal(statSync(mount.hostPath).size, 0);
  });

  test('does not pile up', async () => {
    const { words, dataDir } = messagesWith([]);
    for (let attempt = 0; attempt < 12; attempt++) await words.prepare('uid', app, attempt);
    const left = readdirSync(join(dataDir, 'pods/uid/containers/app')).sort();
    assert.deepEqual(left, ['10', '11', '9']);
  });

  test('that became a link is not followed', async () => {
    const { words } = messagesWith([]);
    const { hostPath } = await words.prepare('uid', app, 0);
    rmSync(hostPath);
    symlinkSync('/etc/hostname', hostPath);
    await words.read([ended()]);
    assert.match(words.messages.get('id') ?? '', /^Error on reading termination log: ELOOP$/);
    await assert.rejects(words.prepare('uid', app, 0), { code: 'ELOOP' });
  });
});

describe('the message of a container', () => {
  test('row 199: is what it wrote', async () => {
    assert.equal((await messageAfter('bye\n', {})).message, 'bye\n');
  });

  test('row 199: is the end of it, 4096 bytes', async () => {
    const { message = '' } = await messageAfter(`${'a'.repeat(1000)}${'b'.repeat(4096)}`, {});
    assert.equal(message, 'b'.repeat(MESSAGE_BYTES_MAX));
  });

  test('begins with a whole character', async () => {
    const { message = '' } = await messageAfter(`${'€'.repeat(2000)}`, {});
    assert.equal(message, '€'.repeat(Math.floor(MESSAGE_BYTES_MAX / 3)));
  });

  test('is none when nothing was written', async () => {
    const { message, asked } = await messageAfter('', {}, ['log']);
    assert.equal(message, undefined);
    assert.deepEqual(asked, []);
  });

  test('row 200: falls back to the log, its last lines', async () => {
    const { message, asked } = await messageAfter('', { fallsBackToLogs: true }, [
      'one\n',
      'two\n',
    ]);
    assert.equal(message, 'one\ntwo\n');
    assert.deepEqual(asked, [{ tailLines: FALLBACK_LINES }]);
  });

  test('row 200: its last 2048 bytes', async () => {
    const chunks = ['x'.repeat(3000), 'y'.repeat(2000)];
    const { message } = await messageAfter('', { fallsBackToLogs: true }, chunks);
    assert.equal(message, `${'x'.repeat(48)}${'y'.repeat(2000)}`);
    assert.equal(message.length, FALLBACK_BYTES_MAX);
  });

  test('of a revision that failed: the end of its log is kept beside it, and is no part of a status', async () => {
    const of = async (written: string, change: Partial<EndedContainer>) => {
      const { words } = messagesWith(['x'.repeat(3000), 'no such table\n']);
      const { hostPath } = await words.prepare('uid', app, 0);
      appendFileSync(hostPath, written);
      await words.read([ended({ isTold: true, ...change })]);
      const found = [words.messages.get('id'), words.tails.get('id')];
      await words.read([]);
      assert.equal(words.tails.size, 0, 'forgotten with its container');
      return found;
    };
    const tail = `${'x'.repeat(FALLBACK_BYTES_MAX - 14)}no such table\n`;
    assert.deepEqual(await of('', {}), [undefined, tail]);
    assert.deepEqual(await of('said', {}), ['said', undefined]);
    assert.deepEqual(await of('', { fallsBackToLogs: true }), [tail, undefined]);
    assert.deepEqual(await of('', { isTold: false }), [undefined, undefined]);
  });

  test('T64: the file wins over the log', async () => {
    const { message, asked } = await messageAfter('file', { fallsBackToLogs: true }, ['log']);
    assert.equal(message, 'file');
    assert.deepEqual(asked, []);
  });

  for (const chunks of ['gone', 'silent'] as const) {
    test(`is none when the engine's log is ${chunks}`, async () => {
      const { message } = await messageAfter('', { fallsBackToLogs: true }, chunks);
      assert.equal(message, undefined);
    });
  }

  test('is read once, and forgotten with the container', async () => {
    const { words } = messagesWith([]);
    const { hostPath } = await words.prepare('uid', app, 0);
    appendFileSync(hostPath, 'first');
    await words.read([ended()]);
    appendFileSync(hostPath, ' second');
    await words.read([ended()]);
    assert.equal(words.messages.get('id'), 'first');
    await words.read([]);
    assert.equal(words.messages.size, 0);
  });

  test('of an attempt that has no file is none', async () => {
    const { words } = messagesWith([]);
    await words.read([ended({ attempt: 9 })]);
    assert.equal(words.messages.size, 0);
  });
});
