/** What every container runtime promises of programs run in a container, and of what a container uses. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RuntimeError } from '../../agent/runtime/runtime.js';
import { eventually } from '../support/wait.js';
import { refusesWith, SCRIPT, startedOn, type RuntimeSubject } from './runtime-case.js';

const sh = (script: string) => ['/bin/sh', '-c', script];

/** Commands that the simulated engine understands too. */
export const EXEC = {
  fails: sh('echo out; echo err >&2; exit 4'),
  hangs: sh('echo before; sleep 98765; echo after'),
  counts: sh('ps -o args | grep -c "[s]leep 98765"'),
  missing: ['/no/such/program'],
  floods: sh('i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i+1)); done'),
  leavesChild: sh('sleep 43210 & echo done'),
} as const;

const OPTIONS = { timeoutMs: 30_000, maxOutputBytes: 10_240 };

export function execContract(
  name: string,
  open: () => RuntimeSubject | Promise<RuntimeSubject>,
  skip: string | false = false,
): void {
  describe(`the exec contract: ${name}`, { skip }, () => {
    let subject: RuntimeSubject;
    let id = '';
    before(async () => {
      subject = await open();
      id = (await startedOn(subject, SCRIPT.runs)).id;
    });
    after(() => subject?.close());

    test('row 102: an exit code and the output of both streams come back', async () => {
      const result = await subject.runtime.exec(id, EXEC.fails, OPTIONS);
      assert.deepEqual([result.exitCode, result.timedOut], [4, false]);
      assert.deepEqual(result.output.split('\n').sort(), ['', 'err', 'out']);
    });

    test('row 102: of a long output the beginning is kept, and the program is not held up', async () => {
      const result = await subject.runtime.exec(id, EXEC.floods, OPTIONS);
      assert.equal(result.exitCode, 0);
      assert.equal(result.output.length, 10_240);
      assert.ok(result.output.startsWith('0123456789\n0123456789\n'));
    });

    test('row 103: a program that takes too long is over, with all that it started', async () => {
      const { runtime } = subject;
      const result = await runtime.exec(id, EXEC.hangs, { ...OPTIONS, timeoutMs: 4_000 });
      assert.deepEqual(result, { exitCode: null, output: 'before\n', timedOut: true });
      await eventually('no process of it is left', async () => {
        const { output } = await runtime.exec(id, EXEC.counts, OPTIONS);
        return output === '0\n';
      });
    });

    test('a program that is not there is an exit code of 126 or 127, not an error', async () => {
      const result = await subject.runtime.exec(id, EXEC.missing, OPTIONS);
      assert.ok(result.exitCode === 126 || result.exitCode === 127, String(result.exitCode));
      assert.equal(result.timedOut, false);
    });

    test('a program that leaves a child on its output is over when it ends itself', async () => {
      const result = await subject.runtime.exec(id, EXEC.leavesChild, OPTIONS);
      assert.deepEqual(result, { exitCode: 0, output: 'done\n', timedOut: false });
    });

    test('a program that is given up rejects with the reason and is over', async () => {
      const giveUp = new AbortController();
      const running = subject.runtime.exec(id, EXEC.hangs, { ...OPTIONS, signal: giveUp.signal });
      giveUp.abort(new Error('no longer wanted'));
      await assert.rejects(running, /no longer wanted/);
      await eventually('no process of it is left', async () => {
        const { output } = await subject.runtime.exec(id, EXEC.counts, OPTIONS);
        return output === '0\n';
      });
    });

    test('many programs at once each get their own answer', async () => {
      const results = await Promise.all(
        Array.from({ length: 8 }, () => subject.runtime.exec(id, EXEC.fails, OPTIONS)),
      );
      for (const { exitCode } of results) assert.equal(exitCode, 4);
    });

    test('a container that runs uses processor time and memory', async () => {
      const stats = await subject.runtime.stats(id);
      assert.ok(stats && stats.cpuNanoseconds > 0 && stats.workingSetBytes > 0);
    });

    test('in a container that does not run, or is gone, nothing runs and nothing is used', async () => {
      const { runtime } = subject;
      const { id: ended } = await startedOn(subject, SCRIPT.exits0);
      await eventually('the container has ended', async () => {
        const seen = (await runtime.observe()).containers.find(c => c.id === ended);
        return seen?.state === 'exited';
      });
      for (const none of [ended, 'f'.repeat(64)]) {
        await assert.rejects(runtime.exec(none, EXEC.fails, OPTIONS), refusesWith('NotFound'));
        assert.equal(await runtime.stats(none), null);
      }
    });

    test("another owner's containers are not entered", async () => {
      await assert.rejects(subject.stranger().exec(id, EXEC.fails, OPTIONS), RuntimeError);
    });

    test('an engine that does not answer is EngineUnavailable', async () => {
      const down = subject.down();
      const refuses = refusesWith('EngineUnavailable');
      await assert.rejects(down.exec(id, EXEC.fails, OPTIONS), refuses);
      await assert.rejects(down.stats(id), refuses);
    });
  });
}
