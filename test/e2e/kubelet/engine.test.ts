/**
 * The engine dies under the agent and comes back, as a black box: nothing is lost, nothing that lives is touched, and what
 * was written meanwhile is done then (kubelet behaviour row 82).
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, pod } from '../../support/black-box.js';
import { noOwnEngine, OwnEngine } from '../../support/own-engine.js';
import { eventually } from '../../support/wait.js';

const two = (name: string, value = 'a') =>
  pod(name, [container('c'), container('d', undefined, { env: [{ name: 'V', value }] })]);

describe('row 82: an engine that dies and comes back', { skip: noOwnEngine() }, () => {
  const engine = new OwnEngine();
  let box: BlackBox;
  let changed: Record<string, unknown> = {};
  let comes: Record<string, unknown> = {};
  const ids = (name: string) =>
    box.inspect(name).map(({ Id, State }) => `${Id} ${State.StartedAt}`);
  const engineIs = (status: string) =>
    eventually(`ContainerRuntime is ${status}`, async () => {
      const { conditions } = await box.status();
      return conditions.find(({ type }) => type === 'ContainerRuntime')?.status === status;
    });

  before(async () => {
    await engine.start();
    box = new BlackBox({ engineSocket: engine.socketPath });
    await box.start();
    for (const name of ['stays', 'changes', 'goes']) box.put(`${name}.json`, two(name));
    for (const name of ['stays', 'changes', 'goes']) await box.ready(name);
    // Manifests ask the engine for the test's image.
    [changed, comes] = [two('changes', 'b'), two('comes')];
  });
  after(async () => {
    await box.close();
    await engine.close();
  });

  test('while it is away pods stay as they were last seen, and the condition says why', async () => {
    await engine.end('SIGKILL');
    await engineIs('False');
    await eventually('it says why', async () => {
      const { conditions } = await box.status();
      const said = conditions.find(({ type }) => type === 'ContainerRuntime');
      assert.equal(said?.reason, 'EngineUnavailable');
      assert.match(said.message, /does not answer: .*docker\.sock/);
      return true;
    });
    assert.equal((await box.pod('stays'))?.status?.phase, 'Running');
    assert.equal((await box.get('/healthz')).code, 200);
  });

  test('what was written meanwhile is done when it is back; what lives is not touched', async () => {
    box.put('changes.json', changed);
    box.remove('goes.json');
    box.put('comes.json', comes);
    await engine.start();
    await engineIs('True');
    await box.ready('comes');
    await box.gone('goes');
    await box.until('the edit runs', 'changes', ({ status }) => {
      // An edit is a new container: it has not restarted.
      return status?.containerStatuses?.every(({ name, restartCount, ready, lastState }) => {
        const isAnother = lastState?.terminated !== undefined;
        return ready && restartCount === 0 && isAnother === (name === 'd');
      });
    });
    const now = await box.pod('stays');
    assert.deepEqual(
      now?.status?.containerStatuses?.map(({ restartCount }) => restartCount),
      [0, 0],
    );
    assert.equal(box.inspect('stays').length, 3);
  });

  test('a stop that it did not live to see is finished', async () => {
    const slow = container(
      'slow',
      "trap 'sleep 3; exit 0' TERM; while :; do sleep 3600 & wait; done",
    );
    box.put('slow.json', pod('slow', [slow], { terminationGracePeriodSeconds: 20 }));
    await box.ready('slow');
    box.remove('slow.json');
    await eventually('the stop has begun', async () => (await box.events('Killing')).length > 0);
    await engine.end('SIGKILL');
    await engine.start();
    await box.gone('slow');
  });

  test('row 74: an engine and an agent that start anew together touch nothing', async () => {
    const before = ids('stays');
    await box.stop('SIGKILL');
    await engine.end('SIGTERM');
    await engine.start();
    await box.start();
    await box.ready('stays');
    assert.deepEqual(ids('stays'), before);
  });
});
