/** A properly signed revision that is simply bad: S99. The hub is gone; the node helps itself, says so, and the hub decides. */
import assert from 'node:assert/strict';
import { docker, TEST_IMAGE, runningOf } from '../../support/docker.js';
import type { StatusDocument } from '../../../protocol/documents/node.js';
import { bundle, publishBundle, type Bundle } from '../../support/attacks/make.js';
import { attacks } from '../../support/attacks/row.js';
import { podText } from '../../support/attacks/documents.js';
import type { Victim } from '../../support/attacks/victim.js';
import { eventually } from '../../support/wait.js';

/** What is bad is given up soon, and what is good is in no hurry. */
const DEADLINE = { good: 60, bad: 7 } as const;

/** It is its own rollback floor. */
function revision(victim: Victim, number: number, script: string): Bundle {
  const containers = [{ command: ['sh', '-c', script], image: TEST_IMAGE, name: 'app' }];
  const progressDeadlineSeconds = DEADLINE[script === CRASHES ? 'bad' : 'good'];
  const strategy = { progressDeadlineSeconds, minReadySeconds: 3, onFailure: 'rollback' } as const;
  const change = { name: 'looping', revision: number, rollbackFloor: number, strategy };
  return bundle(victim, change, [podText('looping', { containers })]);
}

const RUNS = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';
const CRASHES = 'sleep 0.3; echo hunter2; exit 7';

function said(victim: Victim, is: (bundle: StatusDocument['bundles'][number]) => boolean) {
  return eventually('the status says so', () => {
    const told = victim.statuses.at(-1)?.bundles.find(({ name }) => name === 'looping');
    if (told && is(told)) return told;
    throw new Error(`it is ${told?.revision} ${told?.state} ${told?.reason} ${told?.message}`);
  });
}

const running = (victim: Victim) =>
  runningOf(victim.play.path('edge-1'), { pod: 'looping-edge-1', container: 'app' });

async function crashLoop(victim: Victim): Promise<void> {
  const before = victim.current.bundles;
  const assign = async (made: Bundle) => {
    await publishBundle(victim, made);
    await victim.assign({ bundles: [...before, made.assigned] });
  };
  const good = revision(victim, 1, RUNS);
  await assign(good);
  await victim.isHealthy(good.assigned);

  const bad = revision(victim, 2, CRASHES);
  await assign(bad);
  const told = await said(victim, ({ state }) => state === 'rolledBack');
  assert.deepEqual(
    [told.revision, told.digest, told.failed, told.active],
    [2, bad.assigned.digest, bad.assigned.digest, good.assigned.digest],
  );
  assert.equal(told.reason, 'ProgressDeadlineExceeded');
  assert.match(told.message, /looping-edge-1 \(app: .*last exit code 7/);
  assert.doesNotMatch(JSON.stringify(victim.statuses.at(-1)), /hunter2/);
  await eventually('the good one runs', () => {
    const found = running(victim);
    return found !== '' && docker('inspect', '--format', '{{.Args}}', found).includes(RUNS);
  });

  // Not again, whatever restarts; the floor of what failed never took force.
  const id = running(victim);
  const from = await victim.restart();
  await victim.said(
    'it is still undone',
    ({ bundles }) => {
      return bundles.some(({ name, state }) => name === 'looping' && state === 'rolledBack');
    },
    from,
  );
  assert.equal(running(victim), id);

  await assign(revision(victim, 3, `: three; ${RUNS}`));
  await said(victim, ({ revision: number, state }) => number === 3 && state === 'healthy');
  await victim.assign({ bundles: before });
  await victim.isGone(good.assigned);
}

attacks('the node by a revision that is bad', [
  {
    id: 'S99',
    title:
      'a crash loop by a bad but valid revision: the last good one is back, and the hub is told',
    run: async ({ open }) => crashLoop(await open()),
  },
]);
