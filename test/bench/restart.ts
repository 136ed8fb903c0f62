/** Fifty pods run; the agent is started anew: how long until it knows them all as ready, and what it touched. */
import { BlackBox, container, pod } from '../support/black-box.js';
import { eventually } from '../support/wait.js';
import type { Figure } from './figure.js';

const PODS = 50;
const ROUNDS = 3;

export async function restart(): Promise<readonly Figure[]> {
  const box = new BlackBox();
  const names = Array.from({ length: PODS }, (_, n) => `p${n}`);
  const isSteady = async () => {
    const pods = await box.pods();
    const ready = pods.filter(({ status }) =>
      status?.conditions?.some(one => one.type === 'Ready' && one.status === 'True'),
    );
    return ready.length === PODS;
  };
  const alive = () =>
    names
      .flatMap(name => box.inspect(name))
      .map(({ Id, State }) => `${Id} ${State.StartedAt}`)
      .sort()
      .join('\n');
  try {
    for (const name of names) box.put(`${name}.yaml`, pod(name, [container('app')]));
    await box.start();
    await eventually('all are ready', isSteady, { withinMs: 300_000, everyMs: 500 });
    const before = alive();
    let slowest = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await box.stop('SIGKILL');
      const from = performance.now();
      await box.start();
      await eventually('steady', isSteady, { everyMs: 20 });
      slowest = Math.max(slowest, performance.now() - from);
    }
    const touched = alive() === before ? 0 : 1;
    process.stdout.write(`containers touched: ${touched === 0 ? 'none' : 'some'} (goal none)\n`);
    if (touched > 0) throw new Error('a start of the agent touched containers that ran');
    return [
      {
        name: `restart, ${PODS} pods, process start to steady`,
        ours: slowest,
        yardstick: 1000,
        unit: 'ms',
        target: 1,
      },
    ];
  } finally {
    await box.close();
  }
}
