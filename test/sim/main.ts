/**
 * `npm run sim`: simulated histories from a seed on, as many as begin within a time. Ends with 1 where one broke an invariant, and prints
 * for it the command that runs it again.
 */
import './outside.js';
import { createHash, randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { wordsOf } from '../support/command-words.js';
import { liveTogether, usualWorkers, type Life, type Lived } from './crew.js';
import { FAULT_NAMES } from './faults.js';
import { runHistory } from './history.js';
import { coverageTable } from './phases.js';
import { SCENES } from './scenes.js';

const SEED_MAX = 2 ** 31;

const USAGE = `usage: npm run sim -- [OPTIONS]
Whole fleets on simulated disks, clocks and engines. Ends with "N histories, M invariants broken".

  --seed N               of the first history (a fresh one)
  --histories N          from that seed on (1000; with --seed: 1)
  --scene NAME[@SEED]    histories of that scene, which may be said again: ${Object.keys(SCENES).join(', ')}
  --nodes N              in each history (as the seed says)
  --seconds N            begin none after that time (nor after a SIGTERM)
  --workers N            processes (one fewer than cores)
  --trace                everything that happens; one after the other
  --coverage             what was reached, as a table
`;

const { values, number, refuse } = wordsOf(USAGE, {
  seed: { type: 'string' },
  histories: { type: 'string' },
  nodes: { type: 'string' },
  scene: { type: 'string', multiple: true, default: [] },
  seconds: { type: 'string' },
  workers: { type: 'string' },
  coverage: { type: 'boolean', default: false },
  trace: { type: 'boolean', default: false },
});
const nodes = values.nodes === undefined ? null : number('nodes', 0);
/** What kind of histories, as the command says it. */
const kind = nodes === null ? [] : ['--nodes', String(nodes)];

/** The name and its own first seed, if it has one. */
function sceneOf(text: string): { scene: string; seed: string | undefined } {
  const [scene = '', seed] = text.split('@');
  if (scene in SCENES) return { scene, seed };
  return refuse(`--scene ${scene}: there is none; use one of ${Object.keys(SCENES).join(', ')}`);
}

function seedOf(text: string): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : refuse(`--scene …@${text}: use a whole number`);
}

async function live({ seed, scene }: Life): Promise<Lived> {
  const before = process.cpuUsage();
  const onTrace = values.trace ? { onTrace: (line: string) => console.log(line) } : {};
  const told = await runHistory({ seed, nodes, scene, ...onTrace });
  const { user, system } = process.cpuUsage(before);
  return { ...told, seed, scene, cpuSeconds: (user + system) / 1e6 };
}

/** One of several processes: whoever started it sends lives. */
function serve(): void {
  process.on('message', life => {
    void live(life as Life).then(lived => process.send?.(lived));
  });
}

/** As many of each scene; without one, of what the seeds say. */
function* livesOf(first: number, histories: number): Generator<Life, undefined> {
  const scenes = values.scene.map(sceneOf);
  for (const { scene, seed } of scenes.length === 0 ? [{ scene: null, seed: undefined }] : scenes) {
    const from = seed === undefined ? first : seedOf(seed);
    for (let one = from; one < from + histories; one++) yield { seed: one, scene };
  }
  return undefined;
}

async function command(): Promise<void> {
  const first = number('seed', randomInt(SEED_MAX));
  const histories = number('histories', values.seed === undefined ? 1000 : 1);
  const endsAt = performance.now() + 1000 * number('seconds', Infinity);
  const most = values.trace ? 1 : number('workers', usualWorkers());
  const all: Lived[] = [];
  const lives = livesOf(first, histories);
  let isEnough = false;
  process.once('SIGTERM', () => (isEnough = true));
  const next = () => {
    const isOver = isEnough || (all.length > 0 && performance.now() > endsAt);
    return isOver ? null : (lives.next().value ?? null);
  };
  const onLived = (lived: Lived) => {
    all.push(lived);
    if (lived.broken.length === 0) return;
    const aim = lived.scene === null ? [] : ['--scene', lived.scene];
    const said = ['--seed', lived.seed, ...kind, ...aim, '--trace'].join(' ');
    console.log(`seed ${lived.seed}: npm run sim -- ${said}`);
    for (const one of lived.broken) console.log(`  ${one}`);
  };
  const workers = Math.min(most, histories);
  if (workers <= 1) for (let one = next(); one !== null; one = next()) onLived(await live(one));
  else {
    const program = fileURLToPath(import.meta.url);
    await liveTogether({ program, args: kind, workers, next, onLived });
  }
  conclude(all);
}

function conclude(lived: readonly Lived[]): void {
  const all = [...lived].sort((a, b) => a.seed - b.seed);
  const sum = (of: (one: Lived) => number) => all.reduce((total, one) => total + of(one), 0);
  const digest = createHash('sha256');
  const kinds = new Set(all.map(one => one.digest));
  const reached = new Map<string, number>();
  for (const one of all) {
    digest.update(one.digest);
    for (const pair of one.reached) reached.set(pair, (reached.get(pair) ?? 0) + 1);
  }
  if (values.coverage) for (const line of coverageTable(reached, FAULT_NAMES)) console.log(line);
  const slowestMs = Math.max(0, ...all.map(({ convergedMs }) => convergedMs ?? 0));
  const broken = sum(one => one.broken.length);
  console.log(
    `${(all.length / sum(one => one.cpuSeconds)).toFixed(1)} histories a second of CPU, ${sum(one => one.events)} events; ` +
      `at rest at the latest ${Math.round(slowestMs / 1000)} s after the last fault; traced ${digest.digest('hex').slice(0, 16)}, ${kinds.size} different`,
  );
  console.log(`${all.length} histories, ${broken} invariants broken`);
  process.exitCode = broken > 0 ? 1 : 0;
}

if (process.send) serve();
else await command();
