/** Whose mount namespace counts: that of the engine at the agent's socket. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { engineNamespaces, parseListeners } from '../../../agent/volumes/engine-namespaces.js';
import { eventually } from '../../support/wait.js';

const root = mkdtempSync(join(tmpdir(), 'fl-engine-ns-'));
after(() => {
  rmSync(root, { recursive: true, force: true });
});
const own = readlinkSync('/proc/self/ns/mnt');
const mayUnshare = spawnSync('unshare', ['--mount', 'true']).status === 0;
const skip = mayUnshare ? false : 'needs the right to make a mount namespace';

const SERVES = `require('node:net').createServer().listen(process.argv[1], () => console.log('listens'))`;

/** Of a process in a mount namespace of its own. */
async function elsewhere(
  t: TestContext,
  program: string,
  args: readonly string[],
): Promise<string> {
  const child = spawn('unshare', ['--mount', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  if (args.includes(SERVES)) await once(child.stdout, 'data');
  const namespace = () => readlinkSync(`/proc/${child.pid}/ns/mnt`);
  await eventually('it has a namespace of its own', () => namespace() !== own);
  return namespace();
}

describe('the listeners in /proc/net/unix', () => {
  const text = [
    'Num       RefCount Protocol Flags    Type St Inode Path',
    '0000000000000000: 00000002 00000000 00010000 0001 01 21505 /run/docker.sock',
    '00000000d5e1b7c3: 00000002 00000000 00010000 0001 01 7 /run/with a blank.sock',
    '0000000000000000: 00000003 00000000 00000000 0001 03 21506 /run/docker.sock',
    '0000000000000000: 00000002 00000000 00010000 0001 01 21507 @/abstract',
    '0000000000000000: 00000003 00000000 00000000 0001 03 21508',
    '',
  ].join('\n');

  test('are those that listen at a path', () => {
    assert.deepEqual(parseListeners(text), [
      { inode: '21505', path: '/run/docker.sock' },
      { inode: '7', path: '/run/with a blank.sock' },
    ]);
  });
});

describe('the namespace of the engine', () => {
  test(
    'is that of whoever serves the socket, whatever another engine lives in',
    { skip },
    async t => {
      const path = join(root, 'here.sock');
      const server = createServer().listen(path);
      await once(server, 'listening');
      t.after(() => server.close());
      const podman = join(root, 'podman');
      copyFileSync(spawnSync('sh', ['-c', 'command -v sleep']).stdout.toString().trim(), podman);
      const other = await elsewhere(t, podman, ['60']);
      assert.deepEqual(await engineNamespaces(path), [own]);
      assert.ok((await engineNamespaces(null)).includes(other), 'asked for no socket it counts');
    },
  );

  test('is another one where its server lives in another', { skip }, async t => {
    const path = join(root, 'there.sock');
    const there = await elsewhere(t, process.execPath, ['-e', SERVES, path]);
    assert.deepEqual(await engineNamespaces(path), [there]);
  });
});
