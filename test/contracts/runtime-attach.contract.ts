/** What every engine promises of somebody at a terminal: exec and attach with stdin, size, exit code. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Attachment, ContainerAttach } from '../../agent/runtime/attach.js';
import { eventually } from '../support/wait.js';
import { refusesWith, SCRIPT, startedOn, type RuntimeSubject } from './runtime-case.js';

const PIPED = { stdin: false, stdout: true, stderr: true, tty: false };
const sh = (script: string) => ['/bin/sh', '-c', script];

function gathered(attachment: Attachment) {
  const said = { stdout: '', stderr: '' };
  const done = (async () => {
    for await (const { channel, bytes } of attachment.output) said[channel] += bytes.toString();
    return { ...said, exitCode: await attachment.exitCode() };
  })();
  return { said, done };
}

export function attachContract(
  name: string,
  open: () => RuntimeSubject | Promise<RuntimeSubject>,
  skip: string | false = false,
): void {
  describe(`the attach contract: ${name}`, { skip }, () => {
    let subject: RuntimeSubject;
    let runtime: ContainerAttach;
    let id = '';
    before(async () => {
      subject = await open();
      runtime = subject.runtime as unknown as ContainerAttach;
      id = (await startedOn(subject, SCRIPT.runs)).id;
    });
    after(() => subject?.close());

    test('output comes by channel, and the exit code after it', async () => {
      const command = sh('echo out; echo err >&2; exit 4');
      const { done } = gathered(await runtime.openExec(id, { ...PIPED, command }));
      assert.deepEqual(await done, { stdout: 'out\n', stderr: 'err\n', exitCode: 4 });
    });

    test('end of stdin ends a program that reads it, and its last words still come', async () => {
      const command = sh('wc -c; echo last');
      const attachment = await runtime.openExec(id, { ...PIPED, stdin: true, command });
      const { done } = gathered(attachment);
      for (let n = 0; n < 10; n++) await attachment.write(Buffer.alloc(20_000, 'x'));
      attachment.endInput();
      attachment.endInput();
      const { stdout, exitCode } = await done;
      assert.match(stdout, /^\s*200000\nlast\n$/);
      assert.equal(exitCode, 0);
    });

    test('a terminal has the size that it is given', async () => {
      const command = sh(
        'until [ "$(stty size 2>/dev/null)" = "33 77" ]; do sleep 0.05; done; stty size',
      );
      const terminal = { stdin: true, stdout: true, stderr: false, tty: true };
      const attachment = await runtime.openExec(id, { ...terminal, command });
      const { done } = gathered(attachment);
      await attachment.resize({ width: 77, height: 33 });
      assert.deepEqual(await done, { stdout: '33 77\r\n', stderr: '', exitCode: 0 });
    });

    test('one who lets go leaves the container alone; twice is safe', async () => {
      const command = sh('echo begun; sleep 1000');
      const attachment = await runtime.openExec(id, { ...PIPED, command });
      const { said, done } = gathered(attachment);
      await eventually('it runs', () => said.stdout === 'begun\n');
      attachment.close();
      attachment.close();
      await done;
      const { done: still } = gathered(
        await runtime.openExec(id, { ...PIPED, command: sh('true') }),
      );
      assert.equal((await still).exitCode, 0);
    });

    test('an attach joins the program: what it says from now on, and its stdin', async () => {
      const cat = await startedOn(subject, 'exec cat', { container: { stdin: true } });
      const attachment = await runtime.openAttach(cat.id, { ...PIPED, stdin: true });
      const { said, done } = gathered(attachment);
      await attachment.write(Buffer.from('typed\n'));
      await eventually('cat gives it back', () => said.stdout === 'typed\n');
      attachment.close();
      await done;
    });

    test('a program that is not there is an error or an exit code, in words', async () => {
      const missing = { ...PIPED, command: ['/no/such/program'] };
      try {
        const { done } = gathered(await runtime.openExec(id, missing));
        const { stdout, stderr, exitCode } = await done;
        assert.ok(exitCode === 126 || exitCode === 127, String(exitCode));
        assert.match(stdout + stderr, /no such file/i);
      } catch (error) {
        assert.ok(refusesWith('RunContainerError')(error), String(error));
      }
    });

    test('a container that does not run, or is gone, is NotFound', async () => {
      const over = await startedOn(subject, SCRIPT.exits0);
      const isOver = async () => {
        const { containers } = await subject.runtime.observe();
        return containers.find(one => one.id === over.id)?.state === 'exited';
      };
      await eventually('it is over', isOver);
      for (const gone of [over.id, 'f'.repeat(64)]) {
        const command = sh('true');
        await assert.rejects(
          runtime.openExec(gone, { ...PIPED, command }),
          refusesWith('NotFound'),
        );
      }
    });
  });
}
