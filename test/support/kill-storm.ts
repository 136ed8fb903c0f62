/**
 * An agent that is killed at random moments while manifests are edited. Whatever happens: never two of one pod, never a
 * restart of what was not edited, never a restart count that falls, and in the end what the files say.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { BlackBox, container, FOREVER, pod } from './black-box.js';
import { freePort } from './ports.js';
import { randomOf } from './random.js';
import { eventually } from './wait.js';

interface World {
  readonly box: BlackBox;
  readonly still: string;
  restarts: number;
}

const edited = (value: number, hostPort: number, withVolume = false) =>
  pod(
    'edited',
    [
      container('app', FOREVER, {
        env: [{ name: 'N', value: String(value) }],
        ports: [{ containerPort: 80, hostPort }],
      }),
      container('beside'),
    ],
    withVolume ? { volumes: [{ name: 'v' }] } : {},
  );

async function check(world: World): Promise<void> {
  const { box } = world;
  assert.equal(box.running('still', 'app').Id, world.still, 'what nobody edited was restarted');
  for (const name of ['edited', 'still', 'crashing']) {
    const runs = box.inspect(name).filter(one => one.State.Running);
    const names = runs.map(one => one.Config.Labels['io.kubernetes.container.name'] ?? '');
    assert.equal(new Set(names).size, names.length, `twice at once in ${name}: ${names.join()}`);
  }
  const crashing = await box.pod('crashing');
  const restarts = crashing?.status?.containerStatuses?.[0]?.restartCount;
  if (restarts === undefined || crashing?.status?.containerStatuses?.[0]?.containerID === undefined)
    return;
  assert.ok(restarts >= world.restarts, `${restarts} restarts after ${world.restarts}`);
  world.restarts = restarts;
}

/** Throws an assertion that names what broke. */
export async function killStorm(options: { rounds: number; seed: number }): Promise<void> {
  const random = randomOf(options.seed);
  const box = new BlackBox();
  const port = await freePort('0.0.0.0');
  try {
    box.put('still.json', pod('still'));
    box.put('crashing.json', pod('crashing', [container('app', 'sleep 0.5; exit 1')]));
    await box.start();
    await box.ready('still');
    const world: World = { box, still: box.running('still', 'app').Id, restarts: 0 };
    let value = 0;
    for (let round = 0; round < options.rounds; round++) {
      const dice = random();
      if (dice < 0.15) box.put('edited.json', '{}');
      else if (dice < 0.3 && round > 0) box.write('edited.json', edited(value, port));
      else box.put('edited.json', edited(++value, port, random() < 0.3));
      await delay(random() * 600);
      await box.stop('SIGKILL');
      await delay(random() * 50);
      await box.start();
      await check(world);
    }
    box.put('edited.json', edited(++value, port));
    await eventually('what the file says runs', () =>
      box.running('edited', 'app').Config.Env.includes(`N=${value}`),
    );
    await box.ready('edited');
    await check(world);
  } finally {
    await box.close();
  }
}
